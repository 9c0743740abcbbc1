"""Keys and signatures: made, checked, and exchanged with signify."""

import base64
import subprocess

import pytest

from release import ROOT, SCRIPTS, Key, run

KEYS = ROOT / "assets/core/release-keys.pub"
SIGNED = ROOT / "Tests/release/signed.txt"


def test_what_the_release_key_signed_is_trusted():
    run([SCRIPTS / "verify.sh", SIGNED])
    run(["signify-openbsd", "-V", "-q", "-p", KEYS, "-x", f"{SIGNED}.sig", "-m", SIGNED])


def test_signify_verifies_what_the_scripts_sign(tmp_path, key):
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 1000)
    key.sign(file)
    run(["signify-openbsd", "-V", "-q", "-p", key.public, "-x", f"{file}.sig", "-m", file])
    file.write_bytes(file.read_bytes()[:-1])
    assert run(["signify-openbsd", "-V", "-q", "-p", key.public, "-x", f"{file}.sig", "-m", file], check=False).returncode


def test_the_scripts_verify_what_signify_signs(tmp_path, key):
    file = tmp_path / "file"
    file.write_text("{}")
    run(["signify-openbsd", "-G", "-n", "-p", tmp_path / "s.pub", "-s", tmp_path / "s.sec"])
    run(["signify-openbsd", "-S", "-s", tmp_path / "s.sec", "-m", file, "-x", f"{file}.sig"])
    # As one of two: that is how a key is replaced.
    both = tmp_path / "both.pub"
    both.write_text(key.public.read_text() + (tmp_path / "s.pub").read_text())
    assert "signed by release key" in run([SCRIPTS / "verify.sh", file], RELEASE_KEYS=both).stdout
    file.write_text("{ }")
    assert "isn't of this file" in run([SCRIPTS / "verify.sh", file], check=False, RELEASE_KEYS=both).stderr


def test_a_key_that_is_not_trusted_signs_nothing(tmp_path, key):
    file, other = tmp_path / "file", Key(tmp_path, "other")
    file.write_text("{}")
    result = run([SCRIPTS / "sign.sh", file], check=False, RELEASE_SIGNING_KEY=other.private, RELEASE_KEYS=key.public)
    assert result.returncode != 0 and "isn't among those" in result.stderr
    assert not (tmp_path / "file.sig").exists()


def test_a_private_key_is_readable_to_its_owner_alone_and_never_overwritten(tmp_path, key):
    assert key.private.stat().st_mode & 0o777 == 0o600
    assert run([SCRIPTS / "new-key.sh", key.private, tmp_path / "new.pub"], check=False).returncode
    assert run([SCRIPTS / "new-key.sh", tmp_path / "new.pem", key.public], check=False).returncode
    assert not (tmp_path / "new.pem").exists()


@pytest.mark.parametrize("line", ["", "RWQ=", "!!!!", base64.b64encode(b"ed" + bytes(72)).decode(), base64.b64encode(bytes(75)).decode()])
def test_what_is_no_signature_is_told(tmp_path, key, line):
    file = tmp_path / "file"
    file.write_text("{}")
    (tmp_path / "file.sig").write_text(f"untrusted comment: x\n{line}\n")
    result = run([SCRIPTS / "verify.sh", file], check=False, RELEASE_KEYS=key.public)
    assert result.returncode == 1 and "is no signature" in result.stderr


def test_the_installer_has_the_release_keys():
    run([SCRIPTS / "embed-keys.sh", "--check"])


def test_notes_are_the_changelogs_section():
    version = (ROOT / "VERSION").read_text().strip()
    notes = run([SCRIPTS / "notes.sh", version]).stdout
    assert notes.strip() and "\n## " not in f"\n{notes}"
    assert run([SCRIPTS / "notes.sh", "999.0.0"], check=False).returncode == 1


def test_what_others_wrote_is_named_with_its_terms():
    text = run([SCRIPTS / "third-party.sh"]).stdout
    for word in (
        "Runtime Library Exception to the Apache 2.0 License", "GNU LESSER GENERAL PUBLIC LICENSE", "Jean-loup Gailly",
        "Julian R Seward", "GCC RUNTIME LIBRARY EXCEPTION", "UNICODE LICENSE V3", "D. Richard Hipp", "OpenSSL",
    ):
        assert word in text, word
    version = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.split()[1]
    assert f" {version}" in text
