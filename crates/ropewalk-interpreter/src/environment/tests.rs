use super::*;

/// Writes a wheel without anything in it: name, version, folder.
const WHEEL: &str = "
import sys, zipfile
name, version, folder = sys.argv[1:]
with zipfile.ZipFile(f'{folder}/{name}-{version}-py3-none-any.whl', 'w') as wheel:
    info = f'{name}-{version}.dist-info'
    wheel.writestr(f'{name}.py', '')
    wheel.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n')
    wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nGenerator: knots\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(f'{info}/RECORD', '')
";

/// Reads lines of pip, and prints what the set-up makes of them for two packages: the script, its reader.
const READER: &str = "
import json, runpy, sys
for told in runpy.run_path(sys.argv[1])['progress'](sys.stdin, 2):
    print(json.dumps(told))
";

fn complaint(folder: &Path) -> String {
    Environment::open(folder).expect_err("it is not whole").to_string()
}

fn set_up(folder: &Path, set_up: &SetUp) -> (Result<Environment, String>, Vec<Progress>) {
    let mut told = Vec::new();
    let made = Environment::set_up(folder, set_up, |progress| told.push(progress));
    (made.map_err(|error| error.to_string()), told)
}

fn requirements(text: impl Into<String>) -> SetUp {
    SetUp { requirements: text.into(), ..SetUp::default() }
}

fn steps(told: &[Progress]) -> Vec<(u64, u64, &str)> {
    told.iter().map(|told| (told.done, told.of, &*told.what)).collect()
}

#[test]
fn what_is_not_whole_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = complaint(&folder.path().join("none"));
    assert!(missing.contains("it is not there; `ropewalk interpreter setup`"), "{missing}");
    assert!(complaint(folder.path()).contains("unfinished"));
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(MANIFEST, "{");
    assert!(complaint(folder.path()).contains("`ropewalk.json` in it is damaged"));
    write(MANIFEST, r#"{"packages":{"numpy":"2.2.6"},"imports":["numpy"],"requirements":""}"#);
    assert!(complaint(folder.path()).contains("`pyvenv.cfg` in it is damaged"));
    write(CONFIGURATION, "home = /usr/bin\nversion = 3.11.2\n");
    assert!(complaint(folder.path()).contains("interpreter is gone"));
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    write("bin/python", "");
    let environment = Environment::open(folder.path()).unwrap();
    assert_eq!(environment.packages().collect::<Vec<_>>(), [("numpy", "2.2.6")]);
    assert_eq!(environment.options().packages, ["numpy"]);
    assert_eq!(environment.python_version(), "3.11.2");
}

#[test]
fn a_python_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut nowhere = requirements("");
    nowhere.python = "/nowhere/python3".into();
    let folder = folder.path().join("python");
    let (made, told) = set_up(&folder, &nowhere);
    let error = made.unwrap_err();
    assert!(error.contains("`/nowhere/python3` cannot be run") && told.is_empty(), "{error}");
    assert!(complaint(&folder).contains("it is not there"));
}

#[test]
fn an_environment_is_made_once_unless_it_is_wanted_again() {
    let outer = tempfile::tempdir().unwrap();
    let (folder, wheels) = (outer.path().join("python"), outer.path().join("wheels"));
    std::fs::create_dir(&wheels).unwrap();
    let made = Command::new("python3").args(["-I", "-c", WHEEL, "rope_knots", "1.0"]).arg(&wheels).status();
    assert!(made.unwrap().success());
    // What a broken try left.
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    std::fs::write(folder.join("ropewalk.json.new"), "{").unwrap();

    let mut asked = requirements(format!("--no-index\n--find-links {}\nrope-knots==1.0", wheels.display()));
    let (made, told) = set_up(&folder, &asked);
    let made = made.unwrap();
    assert_eq!(made.packages().find(|(name, _)| *name != "pip"), Some(("rope_knots", "1.0")));
    assert!(made.python_version().starts_with("3."), "{}", made.python_version());
    let expected = [
        (0, 4, "Making a virtual environment"),
        (1, 4, "Collecting rope_knots-1.0-py3-none-any.whl"),
        (2, 4, "Installing packages"),
        (3, 4, "Importing packages"),
        (4, 4, "Done"),
    ];
    assert_eq!(steps(&told), expected);
    assert_eq!(steps(&set_up(&folder, &asked).1), [(1, 1, "It is there already")]);

    std::fs::remove_dir_all(&wheels).unwrap();
    asked.again = true;
    let (made, told) = set_up(&folder, &asked);
    let error = made.unwrap_err();
    assert!(error.contains("pip failed") && error.contains("rope-knots"), "{error}");
    assert_eq!(steps(&told)[0], expected[0]);
    // What could not be made is not taken for what was there before.
    assert!(complaint(&folder).contains("unfinished"));
}

#[test]
fn a_folder_with_files_of_somebody_else_is_never_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let thesis = folder.path().join("thesis.txt");
    std::fs::write(&thesis, "years of work").unwrap();
    let mut asked = requirements("");
    for again in [false, true] {
        asked.again = again;
        let (made, told) = set_up(folder.path(), &asked);
        let error = made.unwrap_err();
        assert!(error.contains("`thesis.txt`, which would be lost") && told.is_empty(), "{error}");
    }
    assert_eq!(std::fs::read_to_string(thesis).unwrap(), "years of work");
}

#[test]
fn what_pip_says_becomes_steps_that_never_go_back() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python/environment.py");
    let mut reader = Command::new("python3")
        .args(["-I", "-c", READER])
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = "Looking in indexes: https://example.com/simple
Collecting pandas==2.3.3 (from -r requirements.txt (line 1))
  Downloading pandas-2.3.3-cp311-cp311-manylinux.whl.metadata (91 kB)
Collecting numpy==2.2.6 (from -r requirements.txt (line 2))
  Using cached numpy-2.2.6-cp311-cp311-manylinux.whl.metadata (62 kB)
Collecting pytz>=2020.1 (from pandas==2.3.3->-r requirements.txt (line 1))
Downloading pandas-2.3.3-cp311-cp311-manylinux.whl (12.8 MB)
Using cached numpy-2.2.6-cp311-cp311-manylinux.whl (16.8 MB)
Downloading pytz-2025.2-py2.py3-none-any.whl (509 kB)
Installing collected packages: pytz, numpy, pandas
Successfully installed numpy-2.2.6 pandas-2.3.3 pytz-2025.2
";
    reader.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    let output = reader.wait_with_output().unwrap();
    let told: Vec<Progress> =
        output.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    let expected = [
        (1, 6, "Collecting pandas==2.3.3"),
        (2, 6, "Collecting numpy==2.2.6"),
        (3, 8, "Collecting pytz>=2020.1"),
        (4, 8, "Downloading pandas-2.3.3-cp311-cp311-manylinux.whl (12.8 MB)"),
        (5, 8, "Using cached numpy-2.2.6-cp311-cp311-manylinux.whl (16.8 MB)"),
        (6, 8, "Downloading pytz-2025.2-py2.py3-none-any.whl (509 kB)"),
        (6, 8, "Installing packages"),
    ];
    assert_eq!(steps(&told), expected);
}
