/**
 * uv.lock, poetry.lock and pyproject.toml as a list for pip, with the hashes that a lockfile has.
 *
 * A Python program, since Python reads TOML and markers itself and the build image has it: no other tool is needed,
 * and pip takes every package from the package door and compares its hash.
 */
export const LOCKED_REQUIREMENTS = `
import re, sys, tomllib
from pip._vendor.packaging.markers import Marker

path = sys.argv[1]
with open(path, "rb") as file:
    document = tomllib.load(file)

def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()

def applies(marker, extras=("",)):
    return not marker or any(Marker(marker).evaluate({"extra": extra}) for extra in extras)

def line(name, version, hashes, marker=""):
    print(f"{name}=={version}" + (f" ; {marker}" if marker else "") + "".join(f" --hash={one}" for one in sorted(set(hashes))))

def uv():
    packages = {}
    for package in document.get("package", []):
        packages.setdefault(canonical(package["name"]), []).append(package)
    own = [p for several in packages.values() for p in several
           if p.get("source", {}).get("virtual") == "." or p.get("source", {}).get("editable") == "."]
    if not own:
        sys.exit("uv.lock does not say which package is the project's own.")
    seen, waiting = set(), [(own[0], frozenset())]
    while waiting:
        package, extras = waiting.pop()
        key = (package["name"], package.get("version"), extras)
        if key in seen:
            continue
        seen.add(key)
        wanted = list(package.get("dependencies", []))
        for extra in extras:
            wanted += package.get("optional-dependencies", {}).get(extra, [])
        for need in wanted:
            if not applies(need.get("marker")):
                continue
            found = [p for p in packages.get(canonical(need["name"]), [])
                     if need.get("version") in (None, p.get("version"))]
            if not found:
                sys.exit(f"uv.lock names {need['name']} and does not have it.")
            waiting.append((found[0], frozenset(need.get("extra", []))))
    chosen = {(name, version) for name, version, _ in seen}
    for several in packages.values():
        for package in several:
            if (package["name"], package.get("version")) not in chosen or package is own[0]:
                continue
            source = package.get("source", {})
            if "registry" not in source:
                sys.exit(f"{package['name']} comes from {source}; only packages of a registry are installed.")
            files = list(package.get("wheels", [])) + ([package["sdist"]] if "sdist" in package else [])
            line(package["name"], package["version"], [one["hash"] for one in files if "hash" in one])

def poetry():
    for package in document.get("package", []):
        if package.get("optional") or "main" not in package.get("groups", [package.get("category", "main")]):
            continue
        if "source" in package and package["source"].get("type") not in (None, "legacy"):
            sys.exit(f"{package['name']} comes from {package['source']}; only packages of a registry are installed.")
        marker = package.get("markers", "")
        if isinstance(marker, dict):
            marker = marker.get("main", "")
        if applies(marker):
            line(package["name"], package["version"], [one["hash"] for one in package.get("files", [])])

def project():
    for need in document.get("project", {}).get("dependencies", []):
        print(need)

{"uv.lock": uv, "poetry.lock": poetry}.get(path, project)()
`
