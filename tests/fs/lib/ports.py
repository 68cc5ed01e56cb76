"""Free TCP ports of the loopback interface."""
import random
import socket

# Below the range from which the kernel takes ports for outgoing connections.
_FIRST, _LAST = 12000, 21000
_given = set()


def free(n):
    """n ports that nothing listens on and that no earlier call in this process has given out."""
    ports = []
    for port in random.sample(range(_FIRST, _LAST), _LAST - _FIRST):
        if len(ports) == n:
            return ports
        if port in _given:
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        ports.append(port)
    raise AssertionError("no free ports")


def answers(port):
    """Whether something accepts connections at port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False
