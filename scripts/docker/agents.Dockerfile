# The daemon with what its agents need: a shell, git, Node.js. The agents themselves are installed by the daemon
# ("codeai-hub providers install claudeCodeCli"), into the volume, so that they can be updated without a new image.
# scripts/docker/build.sh --agents makes it on top of the image codeai-hub-core.
# What build.sh has just made, on this machine.
# hadolint ignore=DL3007
FROM codeai-hub-core:latest AS hub

FROM debian:12-slim
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Debian keeps one version of each for its stable release: to name it would break the build at its next security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git nodejs npm openssh-client ripgrep \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 65532 --user-group --create-home --home-dir /hub hub
COPY --from=hub /codeai-hub /codeai-hub-core /usr/local/bin/

USER 65532:65532
ENV HOME=/hub \
    CODEAI_HUB_HOME=/hub/.codeai-hub \
    LANG=C.UTF-8 \
    CORE_SHUTDOWN_GRACE_MS=0
WORKDIR /hub
VOLUME /hub
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["codeai-hub", "status"]
ENTRYPOINT ["codeai-hub-core"]
