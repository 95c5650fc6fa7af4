"""Cells as models write them: Python, and at times the shorthands of notebooks."""

import re
from ast import parse as parse_python

SHORTHAND = re.compile(r"^(\s*)([!%])(.*)$")
INSTALLS = re.compile(r"^\s*(python3? -m )?(pip|pip3|conda|apt|apt-get)\s+install\b")
NO_INSTALLS = "print('Nothing can be installed here: there is no network.')"


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
    """`!command` runs it in a shell; `%matplotlib inline` and its like do nothing."""
    found = SHORTHAND.match(line)
    if not found:
        return line
    indent, mark, command = found.groups()
    if INSTALLS.match(command):
        return indent + NO_INSTALLS
    return f"{indent}__import__('subprocess').run({command!r}, shell=True) and None" if mark == "!" else f"{indent}pass"
