"""Makes the Python environment of sessions: `python3 environment.py FOLDER REQUIREMENTS_FILE`.

A virtual environment with the packages of a requirements file, everything imported once, and `ropewalk.json`, written last:
without it the environment is unfinished. Each line on standard output is a JSON object: `{"done", "of", "what"}` on the
way, `{"error"}` if it fails. Made again only if the requirements are others.
"""

import json
import os
import subprocess
import sys
import venv

MANIFEST = "ropewalk.json"
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


def tell(**what):
    print(json.dumps(what), flush=True)


def finished(folder):
    """The manifest of an environment that is there and whole."""
    try:
        with open(os.path.join(folder, MANIFEST)) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def install(python, requirements, count):
    """Runs pip, telling how far it is: each package is collected, then all are installed."""
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    pip = subprocess.Popen([*command, "-r", requirements], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, collected = [], 0
    for line in pip.stdout:
        said.append(line.rstrip())
        del said[:-20]
        if line.startswith("Collecting "):
            collected += 1
            tell(done=collected, of=max(2 * count, collected + count), what=line.split(" (from")[0].strip())
        elif line.startswith("Installing collected packages"):
            tell(done=2 * collected, of=2 * collected + 2, what="Installing packages")
    if pip.wait() != 0:
        raise SystemExit("pip failed: " + "\n".join(line for line in said if line)[-2000:])
    return 2 * collected + 2


def make(folder, requirements):
    with open(requirements) as file:
        text = file.read()
    if (there := finished(folder)) is not None and there.get("requirements") == text:
        tell(done=1, of=1, what="It is there already")
        return
    if sys.version_info < (3, 10):
        raise SystemExit(f"Python 3.10 or newer is needed, and this is {sys.version.split()[0]}")
    count = sum(1 for line in text.splitlines() if line.strip() and not line.startswith("#"))
    tell(done=0, of=2 * count, what="Making a virtual environment")
    # Sessions are other users, who read it.
    os.umask(0o022)
    if os.path.exists(os.path.join(folder, MANIFEST)):
        os.remove(os.path.join(folder, MANIFEST))
    try:
        venv.create(folder, clear=True, with_pip=True, symlinks=True)
    except (subprocess.CalledProcessError, ImportError) as error:
        raise SystemExit(f"no virtual environment can be made (on Debian: apt install python3-venv): {error}")
    python = os.path.join(folder, "bin", "python")
    steps = install(python, requirements, count)
    tell(done=steps - 1, of=steps, what="Importing packages")
    environment = {**os.environ, "MPLBACKEND": "agg", "MPLCONFIGDIR": os.path.join(folder, "share", "matplotlib")}
    looked = subprocess.run([python, "-I", "-c", LOOK, json.dumps(WELL_KNOWN)], env=environment, capture_output=True, text=True)
    if looked.returncode != 0:
        raise SystemExit("a package cannot be imported: " + looked.stderr.strip()[-2000:])
    manifest = {**json.loads(looked.stdout.splitlines()[-1]), "requirements": text}
    unfinished = os.path.join(folder, MANIFEST + ".new")
    with open(unfinished, "w") as file:
        json.dump(manifest, file, indent=1)
    os.replace(unfinished, os.path.join(folder, MANIFEST))
    tell(done=steps, of=steps, what="Done")


if __name__ == "__main__":
    try:
        make(os.path.abspath(sys.argv[1]), sys.argv[2])
    except SystemExit as error:
        tell(error=str(error.code))
        sys.exit(1)
    except OSError as error:
        tell(error=str(error))
        sys.exit(1)
