"""H.264 coded field by field (PAFF), which no encoder at hand writes: each macroblock is stored
as it is (I_PCM), each field of one grey, every other frame is referred to by none."""
WIDTH, HEIGHT = 4, 2        # of a field, in macroblocks


class _Bits:
    def __init__(self):
        self.bits = ""

    def u(self, size, *values):
        for value in values:
            self.bits += f"{value:0{size}b}"
        return self

    def ue(self, *values):
        for value in values:
            code = f"{value + 1:b}"
            self.bits += "0" * (len(code) - 1) + code
        return self

    def align(self):
        self.bits += "0" * (-len(self.bits) % 8)
        return self

    def nal(self, importance, kind):
        """A NAL unit in Annex B form, the trailing bits and the emulation prevention added."""
        self.bits += "1"
        self.align()
        out, zeros = bytearray([importance << 5 | kind]), 0
        for at in range(0, len(self.bits), 8):
            byte = int(self.bits[at:at + 8], 2)
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b"\0\0\0\1" + bytes(out)


def _parameter_sets():
    """7.3.2.1 and 7.3.2.2: Main, output in decode order, fields; CAVLC, deblocking controlled."""
    sps = _Bits().u(8, 77, 0, 30).ue(0, 0, 2, 1).u(1, 0).ue(WIDTH - 1, HEIGHT - 1).u(1, 0, 0, 1, 0, 0)
    pps = _Bits().ue(0, 0).u(1, 0, 0).ue(0, 0, 0).u(1, 0).u(2, 0).ue(0, 0, 0).u(1, 1, 0, 0)
    return sps.nal(3, 7) + pps.nal(3, 8)


def _field(frame_num, bottom, idr, importance, grey):
    """7.3.3 and 7.3.5: one slice of I_PCM macroblocks."""
    bits = _Bits().ue(0, 7, 0).u(4, frame_num % 16).u(1, 1, bottom)
    if idr:
        bits.ue(0).u(1, 0, 0)
    elif importance:
        bits.u(1, 0)
    bits.ue(0, 1)
    for _ in range(WIDTH * HEIGHT):
        bits.ue(25).align().u(8, *[grey] * 256, *[128] * 128)
    return bits.nal(importance, 5 if idr else 1)


def stream(frames, gop):
    out = b""
    for number in range(frames):
        k = number % gop
        if k == 0:
            out += _parameter_sets()
        importance = 0 if k % 2 else 3
        for bottom in (0, 1):
            out += _field((k + 1) // 2, bottom, k == 0 and not bottom, importance, 40 + 4 * number + 2 * bottom)
    return out
