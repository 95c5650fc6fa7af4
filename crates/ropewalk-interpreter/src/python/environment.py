"""Makes the Python environment of sessions: `python3 environment.py FOLDER REQUIREMENTS_FILE [--again]`.

The file may be `-`, standard input. What is made is a virtual environment with its packages, everything imported once, and
`ropewalk.json`, written last: without it the environment is unfinished. Each line on standard output is a JSON object:
`{"done", "of", "what"}` on the way, `{"error"}` if it fails. Made anew only if the requirements or Python are others, or with
`--again`.

A folder with anything else in it is refused: making an environment clears its folder.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import venv

MANIFEST = "ropewalk.json"
# There from the first step on, and renamed to the manifest in the last one.
UNFINISHED = MANIFEST + ".new"
REQUIREMENTS = "requirements.txt"
# Imported before sessions are forked, where they are installed: the first cell finds them there.
WELL_KNOWN = [
    "numpy", "pandas", "matplotlib.pyplot", "scipy.optimize", "scipy.stats", "scipy.signal", "scipy.interpolate", "scipy.integrate",
    "PIL.Image", "openpyxl", "sympy", "networkx", "tabulate", "sklearn", "seaborn", "statsmodels.api", "requests", "bs4", "docx", "pypdf",
]
LOOK = """
import importlib, importlib.metadata, importlib.util, json, sys
imports = []
for name in json.loads(sys.argv[1]):
    if importlib.util.find_spec(name.partition('.')[0]):
        importlib.import_module(name)
        imports.append(name)
packages = {found.metadata['Name']: found.version for found in importlib.metadata.distributions()}
print(json.dumps({'packages': dict(sorted(packages.items())), 'imports': imports}))
"""
# Packages lie in a folder that has Python's version in its name: another Python under the same path does not see them.
HAS_PLACE = "import os, sys, sysconfig; sys.exit(not os.path.isdir(sysconfig.get_path('purelib')))"


def tell(**what):
    print(json.dumps(what), flush=True)


def is_whole(folder, requirements):
    """Whether the environment is there, with these requirements and the Python that it was made with."""
    try:
        with open(os.path.join(folder, MANIFEST)) as file:
            manifest = json.load(file)
        return manifest["requirements"] == requirements and run(folder, "-c", HAS_PLACE).returncode == 0
    except (OSError, ValueError, LookupError, TypeError):
        return False


def run(folder, *arguments, **environment):
    """Runs the environment's Python to its end; neither its user's folders nor this one say what it imports."""
    command = [os.path.join(folder, "bin", "python"), "-I", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)


def take(folder):
    """Empties the folder of an environment, whole or not, for this process alone; gives the file that says whose it is."""
    os.makedirs(folder, exist_ok=True)
    entries = os.listdir(folder)
    if entries and MANIFEST not in entries and UNFINISHED not in entries:
        raise SystemExit(f"it has other files in it, such as `{sorted(entries)[0]}`, which would be lost: name a folder of its own")
    unfinished = open(os.path.join(folder, UNFINISHED), "a")
    try:
        fcntl.flock(unfinished, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("it is being made already, by another process") from None
    # The manifest first: whatever comes in between, what is left is not taken for whole.
    for entry in sorted(entries, key=lambda entry: entry != MANIFEST):
        path = os.path.join(folder, entry)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif entry != UNFINISHED:
            os.remove(path)
    # Sessions are other users, who read it.
    os.chmod(folder, 0o755)
    return unfinished


def progress(lines, named):
    """How far pip is, by the lines that it prints: each package is collected and fetched, then all are installed.

    `named` is how many packages the requirements have; those that they need are found on the way.
    """
    collected = fetched = 0
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word in ("Collecting", "Processing"):
            collected += 1
            what = f"Collecting {os.path.basename(rest.split(' (from')[0])}"
        elif word in ("Downloading", "Using") and ".metadata" not in rest:
            fetched += 1
            what = line.strip()
        elif word == "Installing" and rest.startswith("collected packages"):
            yield {"done": 2 * collected, "of": 2 * collected + 2, "what": "Installing packages"}
            continue
        else:
            continue
        yield {"done": collected + min(fetched, collected), "of": 2 * max(named, collected) + 2, "what": what}


def install(folder, named):
    """Runs pip; gives how many steps there are in all."""
    command = [os.path.join(folder, "bin", "python"), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "-r", os.path.join(folder, REQUIREMENTS)]
    pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, steps = [], 2
    for told in progress(last_kept(pip.stdout, said), named):
        tell(**told)
        steps = told["of"]
    if pip.wait() != 0:
        raise SystemExit("pip failed: " + "\n".join(said)[-2000:])
    return steps


def last_kept(lines, kept):
    for line in lines:
        if line.strip():
            kept.append(line.rstrip())
            del kept[:-20]
        yield line


def make(folder, text, again):
    if not again and is_whole(folder, text):
        tell(done=1, of=1, what="It is there already")
        return
    if sys.version_info < (3, 10):
        raise SystemExit(f"Python 3.10 or newer is needed, and this is {sys.version.split()[0]}")
    os.umask(0o022)
    unfinished = take(folder)
    with open(os.path.join(folder, REQUIREMENTS), "w") as file:
        file.write(text)
    named = sum(1 for line in text.splitlines() if line.strip() and line.strip()[0] not in "#-")
    tell(done=0, of=2 * named + 2, what="Making a virtual environment")
    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except (subprocess.CalledProcessError, ImportError) as error:
        raise SystemExit(f"no virtual environment can be made (on Debian: apt install python3-venv): {error}")
    steps = install(folder, named)
    tell(done=steps - 1, of=steps, what="Importing packages")
    # The list of fonts that matplotlib makes is kept there, and everything is compiled.
    fonts = os.path.join(folder, "share", "matplotlib")
    looked = run(folder, "-c", LOOK, json.dumps(WELL_KNOWN), MPLBACKEND="agg", MPLCONFIGDIR=fonts)
    if looked.returncode != 0:
        raise SystemExit("a package cannot be imported: " + looked.stderr.strip()[-2000:])
    unfinished.truncate(0)
    json.dump({**json.loads(looked.stdout.splitlines()[-1]), "requirements": text}, unfinished, indent=1)
    unfinished.flush()
    os.fsync(unfinished.fileno())
    os.replace(unfinished.name, os.path.join(folder, MANIFEST))
    tell(done=steps, of=steps, what="Done")


if __name__ == "__main__":
    # Ends with whoever started it.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        with open(0 if sys.argv[2] == "-" else sys.argv[2]) as file:
            requirements = file.read()
        make(os.path.abspath(sys.argv[1]), requirements, "--again" in sys.argv[3:])
    except SystemExit as error:
        tell(error=str(error.code))
        sys.exit(1)
    except OSError as error:
        tell(error=str(error))
        sys.exit(1)
