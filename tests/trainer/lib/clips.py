"""Clips of two classes, of one second, for tests with a real mount."""
import subprocess

PARAMETERS = "samples@num_frames=2,size=24,duration=0.5"


def make_clips(folder, n=12):
    for i in range(n):
        label, colour = [("hum", "red"), ("whistle", "blue")][i % 2]
        to = folder / "train" / label
        to.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=d=1:s=64x48:r=10,hue=h={i * 20}",
             "-f", "lavfi", "-i", f"sine=f={(120, 2000)[i % 2] + 10 * i}:d=1",
             "-f", "lavfi", "-i", f"color={colour}:s=16x16:d=1:r=10",
             "-filter_complex", f"[0][2]overlay=x={i * 3}:y={i * 2}", "-pix_fmt", "yuv420p",
             to / f"{i:02}.mp4"], check=True)
    return folder
