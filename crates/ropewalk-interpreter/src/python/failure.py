"""What is told of a cell that failed."""

from traceback import TracebackException

MOST_FRAMES = 30
LONGEST = 16_000


def explain(error):
    """The traceback, with frames of the user's own code alone."""
    try:
        told = TracebackException(type(error), error, error.__traceback__)
        leave_own_frames(told)
        text = "".join(told.format())
    except BaseException:
        text = "An exception that cannot be shown."
    # Half a surrogate pair is a string in Python, and none anywhere else.
    return {"traceback": text[-LONGEST:].encode("utf-8", "backslashreplace").decode()}


def leave_own_frames(told):
    """Takes from a traceback, and from those that led to it, the frames of this loop and of libraries."""
    waiting, seen = [told], set()
    while waiting:
        told = waiting.pop()
        if told is None or id(told) in seen:
            continue
        seen.add(id(told))
        own = [frame for frame in told.stack if frame.filename.startswith(("<cell ", "/mnt/data/"))]
        told.stack[:] = own[-MOST_FRAMES:]
        waiting += [told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or [])]
