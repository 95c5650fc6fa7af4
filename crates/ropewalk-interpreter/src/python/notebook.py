"""Cells as models write them: Python, and at times what notebooks allow besides: shorthands, and `await` at the top."""

import re
from ast import parse as parse_python
from inspect import CO_COROUTINE

SHORTHAND = re.compile(r"^(\s*)(!|%%?(?=[A-Za-z]))(.*)$")
INSTALLS = re.compile(r"^\s*(\S*python[\d.]* -m )?(pip[\d.]*|uv|conda|mamba|apt|apt-get)\s+(\w+\s+)?install\b")
NO_INSTALLS = "print('Nothing can be installed here: there is no network.')"
# Of these, what stands behind them is the cell's.
TIMERS = {"time", "timeit", "prun", "capture"}
# These are about how a notebook looks.
SETTINGS = {"matplotlib", "config", "load_ext", "reload_ext", "autoreload", "pylab"}

# As a cell finds it, it may be gone.
_eval, _any = eval, any

# The event loop of the session, once there is one: tasks go on from cell to cell.
loops = []


def parse(code, name):
    """The syntax tree of a cell."""
    try:
        return parse_python(code, name)
    except SyntaxError as error:
        plain = "\n".join(map(plain_line, code.split("\n")))
        if plain == code:
            raise
        try:
            return parse_python(plain, name)
        except SyntaxError:
            raise error from None


def plain_line(line):
    """`!command` runs it in a shell; of `%magic`, what can be done is done, and what cannot is told."""
    found = SHORTHAND.match(line)
    if not found:
        return line
    indent, mark, command = found.groups()
    if INSTALLS.match(command):
        return indent + NO_INSTALLS
    if mark == "!":
        return f"{indent}__import__('subprocess').run({command!r}, shell=True) and None"
    name, _, rest = command.partition(" ")
    if name in TIMERS:
        return indent + (rest if mark == "%" and rest.strip() else "pass")
    if name in SETTINGS:
        return f"{indent}pass"
    return f"{indent}print({f'`{mark}{name}` is not known here.'!r})"


def execute(parts, space):
    """Runs the parts of a cell; gives the value of the last. If one of them awaits something, all run in the event loop."""
    if _any(part.co_flags & CO_COROUTINE for part in parts):
        return finish(in_loop(parts, space))
    value = None
    for part in parts:
        value = _eval(part, space)
    return value


async def in_loop(parts, space):
    value = None
    for part in parts:
        value = _eval(part, space)
        if part.co_flags & CO_COROUTINE:
            value = await value
    return value


def finish(coroutine):
    import asyncio
    if not loops or loops[0].is_closed():
        loops[:] = [asyncio.new_event_loop()]
    loop = loops[0]
    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        # Interrupted it would go on with the next cell that awaits something.
        if not task.done():
            task.cancel()
            loop.run_until_complete(asyncio.wait([task]))
        if not task.cancelled():
            # It is told once, by whoever catches it here.
            task.exception()
        raise
