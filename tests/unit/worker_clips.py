"""Small clips of every kind that the worker must get right, made by ffmpeg."""

import subprocess

from edit_list import edited
from field_coded import stream

DURATION = 2  # seconds, 25 frames each
TEST = ["-f", "lavfi", "-i", f"testsrc2=s=320x240:r=25:d={DURATION}"]
TONE = ["-f", "lavfi", "-i", f"sine=440:d={DURATION}"]
X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12", "-bf", "2", "-c:a", "aac"]
X265 = ["-c:v", "libx265", "-c:a", "aac", "-x265-params"]
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "12", "-c:a", "libopus"]


def from_clip(name, *args):
    return ["-i", name, "-c", "copy", *args]


def made(*args, sound=True):
    return TEST + (TONE if sound else []) + list(args)


class Edited:
    """A clip with an edit list of its own: (seconds, from which time of the pictures on)."""

    def __init__(self, source, *edits):
        self.source = source
        # The first picture is shown two pictures after the first decode time.
        self.edits = [(seconds, None if start is None else start + 2 / 25) for seconds, start in edits]

    def make(self, folder, path):
        path.write_bytes(edited(make(folder, self.source, ALL_CLIPS).read_bytes(), self.edits))


class FieldCoded:
    """50 frames of which each field is a packet."""

    def make(self, folder, path):
        raw = folder / f"{path.name}.h264"
        raw.write_bytes(stream(50, 12))
        subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "quiet", "-y", "-nostdin", "-f", "h264", "-r", "50",
                        "-i", str(raw), "-c", "copy", str(path)], check=True)


class Joined:
    """Files put one behind the other. lost: frames of the second part that no reader gives."""

    def __init__(self, *parts, lost=0):
        self.parts, self.lost = parts, lost

    def make(self, folder, path):
        path.write_bytes(b"".join(make(folder, p, ALL_CLIPS).read_bytes() for p in self.parts))


def open_gop(pyramid):
    return f"keyint=12:open-gop=1:bframes=3:b-pyramid={pyramid}:scenecut=0"


class WithoutIndex:
    """An AVI that a recorder didn't come to finish."""
    def __init__(self, clip):
        self.clip = clip

    def make(self, folder, path):
        data = make(folder, self.clip, ALL_CLIPS).read_bytes()
        path.write_bytes(data[:data.rindex(b"idx1")])


# name -> ffmpeg's arguments, where a name may be an input of a later one, or an object with make(folder, path)
CLIPS = {
    "moovlast.mp4": made(*X264),
    "moovfirst.mp4": from_clip("moovlast.mp4", "-movflags", "+faststart"),
    "fragmented.mp4": from_clip("moovlast.mp4", "-movflags", "+frag_keyframe+empty_moov"),
    "sidx.mp4": from_clip("moovlast.mp4", "-movflags", "+frag_keyframe+empty_moov+global_sidx+default_base_moof"),
    "dash.mp4": from_clip("moovlast.mp4", "-movflags", "+dash"),
    "h264.mov": from_clip("moovlast.mp4"),
    "h264.mkv": from_clip("moovlast.mp4"),
    "h264.ts": from_clip("moovlast.mp4"),
    "h264.flv": from_clip("moovlast.mp4"),
    "h264.avi": made("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12", "-bf", "2", "-c:a", "mp3"),
    "mpeg4.avi": made("-c:v", "mpeg4", "-g", "12", "-bf", "2", "-c:a", "mp3"),
    "mpeg4.mp4": made("-c:v", "mpeg4", "-g", "12", "-bf", "2", "-c:a", "aac"),
    "msmpeg4.avi": made("-c:v", "msmpeg4", "-g", "12", "-c:a", "mp3"),
    "mjpeg.avi": made("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "vp9.webm": made(*VP9),
    "vp8.webm": made("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "10", "-deadline", "good",
                     "-cpu-used", "5", "-g", "12", "-c:a", "libvorbis"),
    "vp8_altref.webm": made("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "25", "-arnr-maxframes", "7",
                            "-b:v", "300k", sound=False),
    "hevc.mp4": made(*X265, "log-level=error:keyint=12:open-gop=0:bframes=3", "-tag:v", "hvc1"),
    "hevc_open.mp4": made(*X265, "log-level=error:keyint=12:open-gop=1:bframes=4:b-pyramid=1"),
    "hevc.mkv": made(*X265, "log-level=error:keyint=12:open-gop=1:bframes=4"),
    "hevc_layers.mp4": made(*X265, "log-level=error:keyint=12:temporal-layers=1:bframes=3"),
    "open_gop.mp4": made("-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", open_gop("normal"), "-c:a", "aac"),
    "open_gop.ts": from_clip("open_gop.mp4"),
    "open_gop.mkv": from_clip("open_gop.mp4"),
    "strict_pyramid.mp4": made("-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", open_gop("strict"), "-c:a", "aac"),
    "intra_refresh.mp4": made("-c:v", "libx264", "-pix_fmt", "yuv420p", "-intra-refresh", "1", "-g", "12", "-c:a", "aac"),
    "interlaced.mp4": made("-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", "keyint=12:interlaced=1", "-c:a", "aac"),
    "fields.ts": FieldCoded(),
    "fields.mkv": FieldCoded(),
    "vfr.mp4": made("-vf", "select='not(mod(n\\,3)*lt(mod(n\\,7)\\,3))'", "-vsync", "vfr", *X264),
    "edit_list.mp4": ["-ss", "0.5", "-i", "moovlast.mp4", "-c", "copy", "-t", "1"],
    # What isn't shown has the times of what is.
    "edits_cut.mp4": Edited("moovlast.mp4", (0.48, 0), (0.48, 1.2)),
    "edits_open_gop.mp4": Edited("open_gop.mp4", (0.6, 0.2), (0.4, 1.32)),
    "edits_repeat.mp4": Edited("moovlast.mp4", (1, 0), (1, 0)),
    "edits_again.mp4": Edited("moovlast.mp4", (1, 0.4), (1, 0.2)),
    "edits_swap.mp4": Edited("moovlast.mp4", (0.6, 1.2), (0.6, 0.2)),
    "edits_late.mp4": Edited("moovlast.mp4", (0.5, None), (1, 0.2)),
    "edits_pause.mp4": Edited("moovlast.mp4", (0.48, 0), (0.5, None), (0.48, 1.2)),
    "rotated.mp4": from_clip("moovlast.mp4", "-metadata:s:v:0", "rotate=90"),
    "upside_down.mp4": from_clip("moovlast.mp4", "-metadata:s:v:0", "rotate=180"),
    "ten_bit.mp4": made("-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-g", "12", "-c:a", "aac"),
    "full_range.mp4": made("-vf", "scale=out_range=pc", "-color_range", "pc", *X264),
    "bt709.mp4": made("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", *X264),
    "wide.mp4": made("-vf", "scale=1000:202", *X264),
    "tall.mp4": made("-vf", "scale=202:600", *X264),
    "palette.avi": made("-vf", "scale=100:60", "-c:v", "rawvideo", "-pix_fmt", "pal8", sound=False),
    # Another palette with each frame, which comes in a packet of its own.
    "palettes.avi": made("-vf", "scale=100:60,split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1",
                         "-c:v", "rawvideo", "-pix_fmt", "pal8", sound=False),
    "palettes_no_index.avi": WithoutIndex("palettes.avi"),
    "even_size.mp4": made("-vf", "scale=330:186", *X264),
    "odd_size.mp4": made("-vf", "scale=333:187", "-c:v", "libx264", "-pix_fmt", "yuv444p", "-g", "12", "-c:a", "aac"),
    "odd_size.webm": made("-vf", "scale=333:187", *VP9),
    "odd_size.avi": made("-vf", "scale=333:187", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"),
    "one_frame.mp4": ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=0.04", "-c:v", "libx264"],
    "mpeg2.mpg": made("-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-c:a", "mp2"),
    "mpeg2.ts": made("-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-c:a", "mp2"),
    "wmv2.wmv": made("-c:v", "wmv2", "-g", "12", "-c:a", "wmav2"),
    "theora.ogv": made("-c:v", "libtheora", "-g", "12", "-c:a", "libvorbis"),
    "prores.mov": made("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "av1.mp4": made("-c:v", "libsvtav1", "-preset", "12", "-g", "12", "-c:a", "aac"),
    "av1.mkv": from_clip("av1.mp4"),
}

# What the second parts are made of: another rate, other pictures, other clocks.
OTHER = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=30:d=2,hue=h=90", "-f", "lavfi", "-i", "sine=550:d=2"]
PARTS = {
    "other.mp4": OTHER + X264,
    "other.ts": from_clip("other.mp4"),
    "other.mkv": from_clip("other.mp4"),
    "other.webm": OTHER + VP9,
    "other.dash.mp4": from_clip("other.mp4", "-movflags", "+dash"),
    "other.mpg": OTHER + ["-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-c:a", "mp2"],
    "other.avi": OTHER + ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12", "-bf", "2", "-c:a", "mp3"],
    "other.mjpeg.avi": OTHER + ["-c:v", "mjpeg", "-c:a", "pcm_s16le"],
    "later.ts": from_clip("moovlast.mp4", "-output_ts_offset", "3600"),
    "wrapping.ts": from_clip("moovlast.mp4", "-output_ts_offset", "95442"),
}
JOINED = {
    "joined.ts": Joined("h264.ts", "other.ts"),
    "joined_same.ts": Joined("h264.ts", "h264.ts", "h264.ts"),
    "joined_open.ts": Joined("open_gop.ts", "open_gop.ts"),
    "joined_later.ts": Joined("h264.ts", "later.ts"),
    "joined_earlier.ts": Joined("later.ts", "h264.ts"),
    "joined_wrapping.ts": Joined("wrapping.ts", "h264.ts"),
    "joined_mpeg2.ts": Joined("mpeg2.ts", "mpeg2.ts"),
    "joined.mkv": Joined("h264.mkv", "other.mkv"),
    "joined.webm": Joined("vp9.webm", "other.webm"),
    "joined_vp8.webm": Joined("vp8.webm", "vp8.webm"),
    "joined_hevc.mkv": Joined("hevc.mkv", "hevc.mkv"),
    "joined_av1.mkv": Joined("av1.mkv", "av1.mkv"),
    "joined.mpg": Joined("mpeg2.mpg", "other.mpg"),
    "joined.avi": Joined("h264.avi", "other.avi"),
    "joined_mjpeg.avi": Joined("mjpeg.avi", "other.mjpeg.avi"),
    # FFmpeg's reader takes the first GOP of what follows for something that isn't shown.
    "joined_dash.mp4": Joined("dash.mp4", "other.dash.mp4", lost=12),
    # Headers of the second part are packets in the middle of the stream.
    "joined.ogv": Joined("theora.ogv", "theora.ogv"),
}
ALL_CLIPS = CLIPS | PARTS | JOINED

# Frames that are never shown only come out of a second pass.
TWO_PASSES = {"vp8_altref.webm"}

# Longer and larger, for what is fetched: megabytes of noise, whose index is small.
LARGE = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=8,noise=alls=30:allf=t", *X264, "-qp", "30"]
LARGE_CLIPS = {
    "large_moovlast.mp4": LARGE,
    "large_moovfirst.mp4": from_clip("large_moovlast.mp4", "-movflags", "+faststart"),
    "large_fragmented.mp4": from_clip("large_moovlast.mp4", "-movflags", "+frag_keyframe+empty_moov"),
    "large_sidx.mp4": from_clip("large_moovlast.mp4", "-movflags", "+frag_keyframe+empty_moov+global_sidx+default_base_moof"),
    "large.avi": from_clip("large_moovlast.mp4"),
    "large.mkv": from_clip("large_moovlast.mp4"),
    "large.ts": from_clip("large_moovlast.mp4"),
}


def make(folder, name, clips):
    """The path of the clip; made at the first call, with what it is made of."""
    path = folder / name
    if not path.exists():
        args = clips[name]
        if hasattr(args, "make"):
            args.make(folder, path)
            return path
        for a in args:
            if a in clips:
                make(folder, a, clips)
        command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-nostdin", *args, "-threads", "1"]
        passes = [["-pass", "1", "-f", "null", "-"], ["-pass", "2", name]] if name in TWO_PASSES else [[name]]
        for end in passes:
            subprocess.run(command + end, cwd=folder, check=True, stderr=subprocess.PIPE)
    return path
