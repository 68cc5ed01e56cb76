"""What the mount tests stand on: servers, a faulty proxy, media, references, mounts."""
