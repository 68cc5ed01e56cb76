"""What the trainer's tests stand on."""
