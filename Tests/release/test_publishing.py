"""What is packed is what is published and what is installed."""

import json
import os
import shutil

import pytest

from release import PLATFORM, PROGRAM, ROOT, SCRIPTS, run

VERSION = (ROOT / "VERSION").read_text().strip()


@pytest.fixture
def packed(tmp_path, key):
    """A release by the project's own packer, with a program that only says how it was called."""
    program, folder = tmp_path / "program", tmp_path / "packed"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    run(
        [SCRIPTS / "pack.py", "--output", folder, f"codeai-hub={program}", "--link", "codeai-hub-core=codeai-hub"],
        RELEASE_SIGNING_KEY=key.private,
        RELEASE_KEYS=key.public,
    )
    return folder


def publish(folder, key, tmp_path):
    """Publishes with a gh that notes what it was told."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "gh").write_text(f"#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{tmp_path}/told'\n")
    (tools / "gh").chmod(0o755)
    result = run(
        [SCRIPTS / "publish.sh", folder], check=False, RELEASE_KEYS=key.public, PATH=f"{tools}:{os.environ['PATH']}"
    )
    told = tmp_path / "told"
    return result, told.read_text().splitlines() if told.exists() else []


def test_what_is_packed_is_installed(installer, packed):
    result = installer.run("--from", packed)
    assert result.returncode == 0, result.stderr
    assert installer.called[0] == "install"


def test_everything_is_uploaded_before_it_is_public(packed, key, tmp_path):
    result, told = publish(packed, key, tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(told) == 2
    assert told[0].startswith(f"release create v{VERSION} --draft --verify-tag ")
    for name in ("manifest.json", "manifest.json.sig", "install.sh", f"codeai-hub-core-{PLATFORM}-{VERSION}.tar.bz2"):
        assert f"/{name}" in told[0]
    assert told[1] == f"release edit v{VERSION} --draft=false"


def test_modules_of_providers_go_along(packed, key, tmp_path):
    module = tmp_path / "module.json"
    module.write_text("{}")
    run(
        [SCRIPTS / "pack.py", "--output", packed, "--provider", "echo", "--version", "1.2.3", f"module.json={module}"],
        RELEASE_SIGNING_KEY=key.private,
        RELEASE_KEYS=key.public,
    )
    result, told = publish(packed, key, tmp_path)
    assert result.returncode == 0, result.stderr
    for name in ("providers-manifest.json", "providers-manifest.json.sig", "codeai-hub-provider-echo-1.2.3.tar.bz2"):
        assert f"/{name}" in told[0]
    (packed / "codeai-hub-provider-echo-1.2.3.tar.bz2").write_bytes(b"")
    result, _ = publish(packed, key, tmp_path)
    assert result.returncode == 1 and "echo: size is 0" in result.stderr


@pytest.mark.parametrize("wrong", ["package", "missing", "unsigned", "manifest", "sum"])
def test_what_is_wrong_is_not_published(packed, key, tmp_path, wrong):
    package, manifest = next(packed.glob("*.tar.bz2")), packed / "manifest.json"
    if wrong == "package":
        package.write_bytes(package.read_bytes() + b"x")
    elif wrong == "missing":
        package.unlink()
    elif wrong == "unsigned":
        (packed / "manifest.json.sig").unlink()
    elif wrong == "manifest":
        manifest.write_text(manifest.read_text() + " ")
    else:
        content = json.loads(manifest.read_text())
        content["platforms"][PLATFORM]["sha1"] = ""
        manifest.write_text(json.dumps(content))
        key.sign(manifest)
    result, told = publish(packed, key, tmp_path)
    assert result.returncode == 1 and "error: " in result.stderr
    assert told == []


def test_a_program_is_linked_again_from_its_objects(tmp_path):
    """The objects of a small program, as SwiftPM leaves them: its relink.sh makes the program of them."""
    source, build = tmp_path / "source", tmp_path / "build"
    (source / "Sources/hello").mkdir(parents=True)
    (source / "Package.swift").write_text(
        '// swift-tools-version: 6.0\nimport PackageDescription\nlet package = Package(name: "hello", targets: ['
        '.executableTarget(name: "hello")])\n'
    )
    (source / "Sources/hello/main.swift").write_text('print("hello")\n')
    run(["swift", "build", "-c", "release", "--package-path", source, "--scratch-path", build])
    archive, folder = tmp_path / "objects.tar.bz2", tmp_path / "again"
    run([SCRIPTS / "objects.py", "--build", build, "--product", "hello", "--output", archive])
    shutil.rmtree(build)
    shutil.rmtree(source)
    folder.mkdir()
    run(["tar", "-xjf", archive, "-C", folder])
    run([folder / "relink.sh"])
    assert run([folder / "codeai-hub"]).stdout == "hello\n"
