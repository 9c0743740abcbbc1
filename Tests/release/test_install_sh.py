"""scripts/install.sh: in several shells, with the few tools it claims to need, and against everything that can go wrong."""

import json
import os
import pty
import shutil
import signal
import stat
import subprocess
import tarfile
import threading
import time

import pytest

from conftest import SCRIPT, SHELLS, TOOLS
from release import PLATFORM, ROOT, Mirror, Release, member, program

NOWHERE = "http://127.0.0.1:9"


def refused(installer, result, *words):
    """It ended with an error that says so, ran nothing, and left nothing."""
    assert result.returncode == 1, result.stderr
    for word in words:
        assert word in result.stderr
    assert "error: " in result.stderr
    assert installer.called is None
    assert installer.left == []


# --- That it works -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("tools", ["curl", "wget", "busybox"])
def test_from_a_server(installer, release, shell, tools):
    with Mirror(release.folder) as mirror:
        result = installer.run("--from", mirror.url, shell=shell, tools=tools)
    assert result.returncode == 0, result.stderr
    assert installer.called[:2] == ["install", "--from"]
    assert installer.called[3:] == ["--source", f"{mirror.url}/manifest.json", "--key", str(installer.key.public)]
    assert installer.left == []
    assert ("can check the release's signature" in result.stderr) == (tools == "busybox")


@pytest.mark.parametrize("tools", ["curl", "wget", "busybox"])
@pytest.mark.parametrize("is_trusted", [True, False])
def test_over_https(installer, release, authority, tmp_path, tools, is_trusted):
    """The certificate counts. Busybox doesn't look at it, and has nothing to check signatures by: it isn't good enough."""
    (tmp_path / "wgetrc").write_text(f"ca_certificate = {authority.file}\n")
    trust = {"CURL_CA_BUNDLE": authority.file, "WGETRC": tmp_path / "wgetrc"} if is_trusted else {}
    with Mirror(release.folder, authority=authority) as mirror:
        result = installer.run("--from", mirror.url, tools=tools, **trust)
    if is_trusted and tools != "busybox":
        assert result.returncode == 0, result.stderr
        assert installer.called and installer.left == []
    else:
        refused(installer, result, "no release can be had")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("tools", [*TOOLS, "busybox", "unlinked"])
def test_from_a_folder(installer, release, shell, tools):
    result = installer.run("--from", release.folder, shell=shell, tools=tools)
    assert result.returncode == 0, result.stderr
    assert installer.called
    assert installer.left == []
    assert ("can check the release's signature" in result.stderr) == (tools in ("busybox", "unverifying"))


@pytest.mark.parametrize("place", ["release", "release/", "release/manifest.json", "file://{}", "file://localhost{}/"])
def test_ways_to_name_a_folder(installer, release, place):
    os.symlink(release.folder, installer.person / "release")
    assert installer.run("--from", place.format(release.folder)).returncode == 0
    assert installer.called


def test_a_folder_with_blanks_and_signs(installer, tmp_path, key):
    folder = tmp_path / "a release* [of] 50%20 $HOME 'ü'"
    Release(folder, key)
    assert installer.run("--from", folder).returncode == 0
    assert installer.called


def test_an_older_version_is_in_a_folder_beside(installer, release, key):
    Release(release.folder / "v1.2.3", key, version="1.2.3")
    result = installer.run("--version", "1.2.3", "--from", release.folder)
    assert result.returncode == 0, result.stderr
    assert "codeai-hub-core-" + PLATFORM + "-1.2.3.tar.bz2" in result.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_read_from_a_pipe(installer, release, shell):
    with open(SCRIPT) as script:
        result = installer.run(
            "--from", release.folder, shell=[*SHELLS[shell], "-s", "--"], script="--no-link", stdin=script
        )
    assert result.returncode == 0, result.stderr
    assert installer.called[5] == "--no-link"


def test_options_are_passed_on_as_they_are(installer, release):
    options = ["--bin-dir", "a folder; $(x) *", "--no-restart", "--allow-downgrade", "--watch", "1", "--version", "9.8.7"]
    assert installer.run(*options, "--from", release.folder, "--json").returncode == 0
    assert installer.called[5:] == [*options, "--json", "--key", str(installer.key.public)]


def test_the_programs_failure_is_the_scripts(installer, release):
    result = installer.run("--from", release.folder, FAKE_STATUS="9")
    assert result.returncode == 9
    # What was got stays: the next try needs no network.
    assert installer.left == [f"core/downloads/{release.package.name}"]
    (release.folder / release.package.name).unlink()
    assert installer.run("--from", release.folder).returncode == 0
    assert installer.left == []


def test_everything_is_the_persons_alone(installer, release):
    installer.run("--from", release.folder, FAKE_STATUS="9")
    called = installer.home / "called"
    for path in [installer.home, *installer.home.rglob("*")]:
        assert path == called or path.stat().st_mode & 0o077 == 0, path
    # But not what the program makes, or has made: that is as the person has it.
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(called.stat().st_mode) == 0o666 & ~mask


def test_events(installer, release):
    with Mirror(release.folder) as mirror:
        result = installer.run("--from", mirror.url, "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["resolving", "downloading", "done"]
    assert lines[1]["total"] == release.entry["size"]
    shutil.rmtree(installer.home)
    result = installer.run("--from", 'a"b\\c', "--json")
    assert json.loads(result.stdout)["error"]["message"].startswith('a"b\\c: not a place')


def test_help_and_mistakes(installer, release):
    help = installer.run("--help", key=False)
    assert help.returncode == 0 and "codeai-hub uninstall" in help.stdout and help.stderr == ""
    refused(installer, installer.run("--frm", "x"), "unknown argument: --frm")
    refused(installer, installer.run("--from", key=False), "--from needs a value")
    refused(installer, installer.run("--version", "../1", key=False), "isn't a version")
    refused(installer, installer.run("--version", "1.2.3", "--from", release.folder), "is version 9.8.7, not 1.2.3")
    assert not installer.home.exists()


@pytest.mark.parametrize(
    "place",
    ["http://example.org", "http://127.0.0.1.example.org/", "http://127.0.0.1:1@example.org/", "ftp://127.0.0.1/", "file://host/x",
     "https://user@example.org/", "http://localhost.example.org/", 'https://x/"', "https://x/$(id)"],
)  # fmt: skip
def test_places_that_are_not_used(installer, place):
    refused(installer, installer.run("--from", place), "not a place a release can be got from")


def test_progress_is_for_a_terminal(installer, tmp_path, key):
    release = Release(tmp_path / "large", key, members=program(1 << 20))
    with Mirror(release.folder) as mirror:
        quiet = installer.run("--from", mirror.url)
        terminal, other = pty.openpty()
        subprocess.run(
            installer.command("--from", mirror.url, "--key", key.public), env=installer.environment(), stderr=other, check=True
        )
    os.set_blocking(terminal, False)
    shown = os.read(terminal, 1 << 16)
    os.close(terminal)
    os.close(other)
    assert quiet.returncode == 0 and "#" not in quiet.stderr
    assert b"100.0%" in shown


# --- Signatures --------------------------------------------------------------------------------------------------------


def test_the_release_key_is_inside(installer, tmp_path):
    folder = tmp_path / "signed"
    folder.mkdir()
    for end in ("", ".sig"):
        shutil.copy(ROOT / f"Tests/release/signed.txt{end}", folder / f"manifest.json{end}")
    # The signature is good, so that what is signed is looked at.
    refused(installer, installer.run("--from", folder, key=False), "it is not JSON")


@pytest.mark.parametrize("tools", ["curl", "signify"])
def test_wrong_signatures_are_refused(installer, release, tools):
    refused(installer, installer.run("--from", release.folder, tools=tools, key=False), "its signature is wrong")
    manifest, signature = release.folder / "manifest.json", release.folder / "manifest.json.sig"
    good = manifest.read_text()
    manifest.write_text(good.replace('"version": "9', '"version": "8'))
    for options in ([], ["--allow-unsigned"]):
        refused(installer, installer.run("--from", release.folder, *options, tools=tools), "its signature is wrong")
    manifest.write_text(good)
    for text in ("x\n", "untrusted comment: x\n", "untrusted comment: x\nRWQ=\n", "a\n-----\n", "untrusted comment: x\n" + "A" * 100 + "\n"):
        signature.write_text(text)
        refused(installer, installer.run("--from", release.folder, tools=tools), "its signature is wrong")


def test_without_a_signature(installer, release):
    (release.folder / "manifest.json.sig").unlink()
    refused(installer, installer.run("--from", release.folder), "it has no signature")
    with Mirror(release.folder) as mirror:
        refused(installer, installer.run("--from", mirror.url), "it has no signature")
        assert installer.run("--from", mirror.url, "--allow-unsigned", UNSIGNED="yes").returncode == 0
    assert "--allow-unsigned" in installer.called


@pytest.mark.parametrize("answer", ["exit 0", "exit 1", "kill -9 $$"])
def test_a_program_called_openssl_that_verifies_nothing(installer, release, tmp_path, answer):
    """As old ones, and others of that name, do: what can't tell right from wrong isn't asked."""
    folder = tmp_path / "bin"
    shutil.copytree(installer.paths / "unverifying", folder, symlinks=True)
    (folder / "openssl").write_text(f"#!/bin/sh\n{answer}\n")
    (folder / "openssl").chmod(0o755)
    result = installer.run("--from", release.folder, PATH=str(folder))
    assert result.returncode == 0 and "can check the release's signature" in result.stderr


# --- Manifests ---------------------------------------------------------------------------------------------------------


def test_manifests_however_they_are_written(installer, release):
    for text in (
        json.dumps(release.manifest),
        json.dumps(release.manifest, indent="\t", ensure_ascii=False),
        json.dumps(release.manifest, indent=1).replace("\n", "\r\n").replace(":", " : "),
        json.dumps({"more": [[], {}, None, -1.5e3, {"schema": 2}], "a.b": {"platforms": 1}, **release.manifest}),
    ):
        release.write(text)
        result = installer.run("--from", release.folder)
        assert result.returncode == 0, result.stderr


def change(path, value):
    def changed(manifest):
        *names, last = path.split("/")
        place = manifest
        for name in names:
            place = place[PLATFORM if name == "P" else name]
        if value is None:
            del place[last]
        else:
            place[last] = value
        return json.dumps(manifest)

    return changed


@pytest.mark.parametrize(
    "changed,words",
    [
        (change("schema", 2), "schema is 2"),
        (change("schema", None), "schema is missing"),
        (change("schema", "1"), "of another kind"),
        (change("platforms", {}), f"no release for {PLATFORM}"),
        (change("platforms/P/size", 0), "can't be right"),
        (change("platforms/P/size", -1), "can't be right"),
        (change("platforms/P/size", 1e30), "can't be right"),
        (change("platforms/P/size", "12"), "of another kind"),
        (change("platforms/P/size", None), "can't be right"),
        (change("platforms/P/sha1", ""), "can't be right"),
        (change("platforms/P/sha1", None), "can't be right"),
        (change("platforms/P/sha256", ""), "can't be right"),
        (change("platforms/P/sha256", None), "can't be right"),
        (change("platforms/P/sha256", "0" * 63), "can't be right"),
        (change("platforms/P/sha256", "g" * 64), "can't be right"),
        (change("platforms/P/sha256", ["0" * 64]), "can't be right"),
        (change("platforms/P/package", "../x.tar.bz2"), "can't be right"),
        (change("platforms/P/package", "-x.tar.bz2"), "can't be right"),
        (change("platforms/P/package", ".x.tar.bz2"), "can't be right"),
        (change("platforms/P/package", "x y.tar.bz2"), "can't be right"),
        (change("platforms/P/package", "x.zip"), "can't be right"),
        (change("platforms/P/coreVersion", "$(id)"), "can't be right"),
        (change("platforms/P/unpackedSize", -3), "can't be right"),
        (lambda manifest: json.dumps(manifest)[:-1] + ', "schema": 1}', "says something twice"),
        (lambda manifest: json.dumps(manifest)[:-1], "not JSON"),
        (lambda manifest: json.dumps(manifest) + "}", "not JSON"),
        (lambda manifest: json.dumps(manifest).replace(",", ",,", 1), "not JSON"),
        (lambda manifest: json.dumps(manifest).replace('"schema"', "schema", 1), "not JSON"),
        (lambda manifest: "\n", "not JSON"),
        (lambda manifest: "[" * 1000, "not JSON"),
        (lambda manifest: "<html>", "not JSON"),
    ],
)  # fmt: skip
def test_manifests_that_can_not_be_used(installer, release, changed, words):
    release.write(changed(release.manifest))
    refused(installer, installer.run("--from", release.folder), words)


@pytest.mark.parametrize("tools", ["curl", "wget", "busybox"])
def test_a_manifest_without_end(installer, release, tools):
    release.write(json.dumps(release.manifest) + " " * (3 << 20))
    with Mirror(release.folder) as mirror:
        refused(installer, installer.run("--from", mirror.url, tools=tools))


# --- Mirrors and downloads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tools", ["curl", "wget", "busybox"])
def test_a_cut_download_goes_on_where_it_was_cut(installer, tmp_path, key, tools):
    release = Release(tmp_path / "release", key, members=program(1 << 19))
    with Mirror(release.folder, cut=[200_000, 100_000]) as mirror:
        result = installer.run("--from", mirror.url, tools=tools)
    assert result.returncode == 0, result.stderr
    assert mirror.requests == [None, 200_000, 300_000]
    assert mirror.sent == release.entry["size"]


@pytest.mark.parametrize("tools", ["curl", "wget", "busybox"])
def test_a_server_that_can_not_begin_in_the_middle(installer, tmp_path, key, tools):
    release = Release(tmp_path / "release", key, members=program(1 << 19))
    with Mirror(release.folder, cut=[200_000], ranges=False) as mirror:
        result = installer.run("--from", mirror.url, tools=tools)
    assert result.returncode == 0, result.stderr
    assert installer.called


def test_the_next_run_goes_on_with_what_has_come(installer, tmp_path, key):
    release = Release(tmp_path / "release", key, members=program(1 << 19))
    with Mirror(release.folder, cut=[100_000, 0, 0, 0, 0, 0, 0]) as mirror:
        result = installer.run("--from", mirror.url)
    assert result.returncode == 1 and "run this again" in result.stderr
    assert installer.called is None
    part = installer.home / "core/downloads" / f"{release.package.name}.install.part"
    assert part.stat().st_size == 100_000
    with Mirror(release.folder) as mirror:
        assert installer.run("--from", mirror.url).returncode == 0
    assert mirror.requests == [100_000]
    assert installer.left == []


@pytest.mark.parametrize("what", ["other bytes", "too long", "whole but wrong"])
def test_a_part_of_something_else(installer, tmp_path, key, what):
    release = Release(tmp_path / "release", key, members=program(1 << 16))
    size = release.entry["size"]
    downloads = installer.home / "core/downloads"
    downloads.mkdir(parents=True)
    length = {"other bytes": size // 2, "too long": size + 5, "whole but wrong": size}[what]
    (downloads / f"{release.package.name}.install.part").write_bytes(b"x" * length)
    with Mirror(release.folder) as mirror:
        assert installer.run("--from", mirror.url).returncode == 0
    assert installer.left == []


def test_mirrors_that_are_dead_and_that_lie(installer, tmp_path, key):
    release = Release(tmp_path / "release", key)
    lies, good, short = tmp_path / "lies", tmp_path / "good", tmp_path / "short"
    data = release.package.read_bytes()
    for folder, content in ((lies, data[:-1] + b"x"), (good, data), (short, data[:100])):
        folder.mkdir()
        (folder / release.package.name).write_bytes(content)
    release.package.unlink()
    with Mirror(lies) as lying, Mirror(good) as right, Mirror(short) as ending:
        release.manifest["baseUrl"] = [NOWHERE, "http://example.org/", "a\\b", lying.url, ending.url, right.url + "/"]
        release.write()
        with Mirror(release.folder) as mirror:
            result = installer.run("--from", NOWHERE, "--from", tmp_path / "nothing", "--from", mirror.url)
    assert result.returncode == 0, result.stderr
    assert "size or sums are wrong" in result.stderr
    assert lying.requests and ending.requests and right.requests
    assert installer.called


def test_wrong_packages_are_never_run(installer, release):
    release.package.write_bytes(release.package.read_bytes()[:-1] + b"x")
    refused(installer, installer.run("--from", release.folder), "sums are wrong", "can't be got whole")
    release.package.write_bytes(release.package.read_bytes() + b"x")
    refused(installer, installer.run("--from", release.folder), "can't be got whole")
    release.package.unlink()
    refused(installer, installer.run("--from", release.folder), "can't be got whole")


@pytest.mark.parametrize("sum", ["sha1", "sha256"])
def test_both_sums_count(installer, release, sum):
    release.entry[sum] = "0" * len(release.entry[sum])
    release.write()
    refused(installer, installer.run("--from", release.folder), "sums are wrong")


def test_a_package_without_end(installer, release):
    release.package.write_bytes(release.package.read_bytes() + bytes(5 << 20))
    with Mirror(release.folder) as mirror:
        refused(installer, installer.run("--from", mirror.url))
    assert mirror.requests


def test_a_proxy_is_not_asked_for_what_is_here(installer, release):
    for tools in ("curl", "wget", "busybox"):
        with Mirror(release.folder) as mirror:
            result = installer.run("--from", mirror.url, tools=tools, http_proxy=NOWHERE, HTTP_PROXY=NOWHERE, ALL_PROXY=NOWHERE)
        assert result.returncode == 0, result.stderr


# --- Packages ----------------------------------------------------------------------------------------------------------


def files(folder):
    return {path: path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("tools", ["curl", "busybox"])
@pytest.mark.parametrize("kind", ["program", "others"])
def test_hostile_archives_write_nothing(installer, tmp_path, key, kind, tools):
    """What is in an archive beside the program is never written, and the program never through a link."""
    target = tmp_path / "target"
    target.write_text("untouched")
    absolute = str(tmp_path / "planted")
    others = [
        member(absolute, b"x"), member("../../../../planted", b"x"), member("link", kind=tarfile.SYMTYPE, link=str(tmp_path)),
        member("link/planted", b"x"), member("codeai-hub-core", kind=tarfile.SYMTYPE, link=str(target)),
        member("device", kind=tarfile.CHRTYPE),
    ]  # fmt: skip
    as_link = [member("codeai-hub", kind=tarfile.SYMTYPE, link=str(target)), member("codeai-hub-core", kind=tarfile.LNKTYPE, link="/etc/passwd")]
    release = Release(tmp_path / "release", key, members=[*others, *(program() if kind == "others" else as_link)])
    before = files(tmp_path)
    result = installer.run("--from", release.folder, tools=tools)
    if kind == "others":
        assert result.returncode == 0, result.stderr
        (installer.home / "called").unlink()
    else:
        refused(installer, result, "has no program in it")
    assert files(tmp_path) == before
    assert target.read_text() == "untouched"


def test_a_bomb(installer, tmp_path, key):
    release = Release(tmp_path / "release", key, members=[member("codeai-hub", bytes(16 << 20))])
    release.entry["unpackedSize"] = 1 << 20
    release.write()
    refused(installer, installer.run("--from", release.folder), "has no program in it")


def test_a_program_that_does_not_run(installer, tmp_path, key):
    release = Release(tmp_path / "release", key, members=[member("codeai-hub", b"\x7fELF" + bytes(100))])
    result = installer.run("--from", release.folder, "--json")
    assert result.returncode == 1
    assert "doesn't run here" in json.loads(result.stdout.splitlines()[-1])["error"]["message"]


def test_no_archive_at_all(installer, tmp_path, key):
    release = Release(tmp_path / "release", key, members=[])
    refused(installer, installer.run("--from", release.folder), "has no program in it")


# --- Ends --------------------------------------------------------------------------------------------------------------


def test_a_script_that_was_cut_does_nothing(installer, release):
    """As `curl | sh` may bring it: at every line, and at every byte of the end."""
    text = SCRIPT.read_text()
    ends = [i + 1 for i, c in enumerate(text) if c == "\n"][:-1] + list(range(len(text) - 120, len(text) - 2))
    cut = installer.person / "cut.sh"
    for shell in ("dash", "busybox"):
        for end in ends if shell == "dash" else ends[-120:]:
            cut.write_text(text[:end])
            result = subprocess.run(
                installer.command("--from", release.folder, shell=shell, script=cut),
                env=installer.environment(),
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            assert result.stdout == "" and "Looking at" not in result.stderr and not installer.home.exists(), text[:end][-80:]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_ended_while_it_downloads(installer, tmp_path, key, sent):
    release = Release(tmp_path / "release", key, members=program(1 << 19))
    with Mirror(release.folder, cut=[200_000], stall=threading.Event()) as mirror:
        child = subprocess.Popen(
            installer.command("--from", mirror.url, "--key", key.public),
            env=installer.environment(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # Signals that are ignored when a shell starts can't be caught by it: nohup ignores one, a shell's "&" another.
            preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGHUP)],
        )
        part = installer.home / "core/downloads" / f"{release.package.name}.install.part"
        until = time.monotonic() + 30
        # What curl has in its own buffer isn't there yet.
        while not (part.exists() and part.stat().st_size > 190_000):
            assert time.monotonic() < until
            time.sleep(0.02)
        # As a terminal does, and a service manager: all of them.
        os.killpg(child.pid, sent)
        status = child.wait(30)
    assert status == (-9 if sent == signal.SIGKILL else 128 + sent)

    if sent != signal.SIGKILL:
        assert installer.left == [f"core/downloads/{part.name}"]
    size = part.stat().st_size
    # Then it goes on with what had come, and nothing of the killed one stays.
    with Mirror(release.folder) as mirror:
        assert installer.run("--from", mirror.url).returncode == 0
    assert mirror.requests == [size]
    assert installer.left == [] and not list((installer.home / "core").glob(".bootstrap-*"))


def test_two_at_once(installer, tmp_path, key):
    """The second one takes nothing from the first, which is in the middle of its download."""
    release = Release(tmp_path / "release", key, members=program(1 << 19))
    stall = threading.Event()
    with Mirror(release.folder, cut=[200_000], stall=stall) as slow, Mirror(release.folder) as mirror:
        first = subprocess.Popen(
            installer.command("--from", slow.url, "--key", key.public), env=installer.environment(), stderr=subprocess.PIPE, text=True
        )
        until = time.monotonic() + 20
        while not any(path.stat().st_size > 190_000 for path in installer.home.glob("core/downloads/*")):
            assert time.monotonic() < until and first.poll() is None
            time.sleep(0.02)
        second = installer.run("--from", mirror.url)
        assert second.returncode == 0, second.stderr
        assert mirror.requests == [None]
        stall.set()
        _, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert slow.requests == [None, 200_000]
    assert installer.left == [] and not list((installer.home / "core").glob(".bootstrap-*"))


@pytest.mark.parametrize("place", [".", "core"])
def test_a_home_that_others_may_write_to(installer, release, place):
    (installer.home / "core").mkdir(parents=True)
    (installer.home / place).chmod(0o770)
    refused(installer, installer.run("--from", release.folder), "others may write")


def test_somebody_elses_home(installer, release):
    person = installer.person
    if os.geteuid() == 0:
        os.chown(person, 12345, 12345)
        before = list(person.iterdir())
    else:
        person, before = "/", None
    result = installer.run("--from", release.folder, HOME=str(person))
    assert result.returncode == 1 and "belongs to somebody else" in result.stderr
    assert before is None or list(person.iterdir()) == before


def test_no_home(installer, release):
    result = installer.run("--from", release.folder, HOME="")
    assert result.returncode == 1 and "HOME isn't set" in result.stderr
    result = installer.run("--from", release.folder, CODEAI_HUB_HOME="hub")
    assert result.returncode == 1 and "must be an absolute path" in result.stderr


def test_another_home(installer, release, tmp_path):
    installer.home = tmp_path / "elsewhere/a hub"
    assert installer.run("--from", release.folder, CODEAI_HUB_HOME=str(installer.home)).returncode == 0
    assert installer.called
    assert stat.S_IMODE(installer.home.stat().st_mode) == 0o700
    assert list(installer.person.iterdir()) == []


@pytest.mark.parametrize("missing", ["tar", "bzip2", "awk"])
def test_what_is_missing_is_named(installer, release, tmp_path, missing):
    folder = tmp_path / "bin"
    shutil.copytree(installer.paths / "curl", folder, symlinks=True)
    (folder / missing).unlink()
    refused(installer, installer.run("--from", release.folder, PATH=str(folder)), f"{missing} is missing")


def test_too_little_room_is_said_before_anything_is_fetched(installer, release, tmp_path):
    folder = tmp_path / "bin"
    shutil.copytree(installer.paths / "curl", folder, symlinks=True)
    (folder / "df").write_text("#!/bin/sh\nprintf 'Filesystem 1024-blocks Used Available\\n/dev/x 9 9 %s /\\n' \"$FREE\"\n")
    (folder / "df").chmod(0o755)
    release.entry["size"] = 1 << 20
    release.write()
    with Mirror(release.folder) as mirror:
        result = installer.run("--from", mirror.url, PATH=str(folder), FREE="4095")
    refused(installer, result, "3 MiB are free for", "5 MiB are needed: make room and try again")
    assert mirror.requests == []
    # What df says in other words is nobody's trouble.
    release.entry["size"] = release.package.stat().st_size
    release.write()
    assert installer.run("--from", release.folder, PATH=str(folder), FREE="many").returncode == 0


def test_without_sums_nothing_is_trusted(installer, release, tmp_path):
    folder = tmp_path / "bin"
    shutil.copytree(installer.paths / "unverifying", folder, symlinks=True)
    (folder / "sha256sum").unlink()
    refused(installer, installer.run("--from", release.folder, PATH=str(folder)), "nothing here can compute SHA-256")
    # OpenSSL will do.
    (folder / "openssl").symlink_to(shutil.which("openssl"))
    assert installer.run("--from", release.folder, PATH=str(folder)).returncode == 0
