#!/usr/bin/env bash
# Looks at everything that can be judged without building: format, forbidden imports and paths, shell scripts, and
# whether the documents agree with the package.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

failed=0
fail() {
    printf 'lint: %s\n' "$*" >&2
    failed=1
}

sources=()
for path in Package.swift Sources Tests Benchmarks Fuzz; do
    [[ -e $path ]] && sources+=("$path")
done
# Build folders of the packages inside Benchmarks/ and Fuzz/ hold generated files: list the tracked and new ones only.
mapfile -t swift_files < <(git ls-files --cached --others --exclude-standard -- "${sources[@]}" | grep '\.swift$' |
    while read -r file; do [[ -f $file ]] && echo "$file"; done)
say "swift format (${#swift_files[@]} files)"
swift format lint --strict --parallel "${swift_files[@]}" || fail "format: run swift format -i on the files above"

say "forbidden imports, paths and leftovers"
# Foundation multiplies the size and the start time of the shipped programs.
if grep -rnE '^\s*(@[a-zA-Z_]+(\([a-z]+\))?\s+|public |package |internal |private )*import\s+((class|struct|enum|func|protocol|typealias|let|var)\s+)?Foundation' Sources; then
    fail "Sources/ must not import Foundation (doc/decisions/0002-no-foundation.md)"
fi
# Somebody's home has no place in the repository; example paths use a neutral name.
if git grep -nIE '/(home|Users)/[a-z]|/root/' -- . ':!**/Fixtures/**' ':!scripts/lint.sh' |
    grep -vE '/(home|Users)/(me|you|user|alice|ada|test)\b'; then
    fail "an absolute path of somebody's machine"
fi
if git grep -nIE '^(<{7} |>{7} |={7}$)' -- . ':!**/Fixtures/**'; then
    fail "a merge conflict left in"
fi
if find Sources Tests -name Placeholder.swift | grep .; then
    fail "placeholder files left in"
fi

# The file VERSION names the version, and nothing else does.
check_version "$(project_version)"
if git grep -nIwF -e "$(project_version)" -- Sources scripts Package.swift doc README.md ':!**/Fixtures/**'; then
    fail "the version stands in VERSION alone: read it from there (Sources/CVersion, project_version in scripts/lib.sh)"
fi

say "shell scripts"
mapfile -t shell_files < <(git ls-files --cached --others --exclude-standard -- 'scripts/*.sh' .ci/run)
for file in "${shell_files[@]}"; do
    bash -n "$file" || fail "$file"
done
# What a person pipes into a shell runs in any.
sh -n scripts/install.sh || fail "scripts/install.sh"
scripts/release/embed-keys.sh --check || fail "the keys in scripts/install.sh"
if have shellcheck; then
    shellcheck --external-sources --source-path="$root" "${shell_files[@]}" || fail "shellcheck"
else
    warn "shellcheck isn't installed (scripts/setup.sh --test installs it); shell scripts were only parsed"
fi

say "workflows and Dockerfiles"
if [[ -z ${CODEAI_HUB_TEST_LINT:-} ]]; then
    exports=$(scripts/install-test-tools.sh) && eval "$exports"
fi
"$CODEAI_HUB_TEST_LINT/check-jsonschema" --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml || fail "workflows"
"$CODEAI_HUB_TEST_LINT/zizmor" --quiet --offline .github/workflows || fail "workflows"
"$CODEAI_HUB_TEST_LINT/python" scripts/release/check-workflows.py .github/workflows/*.yml || fail "workflows"
"$CODEAI_HUB_TEST_LINT/hadolint" scripts/docker/*Dockerfile || fail "Dockerfiles"

say "documents"
if have python3; then
    scripts/build-providers.sh --check >/dev/null || fail "the list of the providers' modules: scripts/build-providers.sh"
    python3 scripts/check-docs.py || fail "documents"
    python3 scripts/describe-api.py --check || fail "the description of the API"
    python3 scripts/embed-web.py --check || fail "the embedded files"
else
    fail "python3 is missing (scripts/setup.sh --test installs it)"
fi

[[ $failed -eq 0 ]] || die "lint found something, see above"
printf 'lint: clean\n'
