# The image holds one static binary and GitHub's way to trust: nothing else.
#
#   docker build -t ghapp-proxy .
#   docker run --rm -p 127.0.0.1:8080:8080 -v /etc/ghapp-proxy:/etc/ghapp-proxy:ro -v ghapp-state:/var/lib/ghapp-proxy ghapp-proxy
#
# The configuration is /etc/ghapp-proxy/config.toml, on the host as inside. It needs
# listen = "0.0.0.0:8080", and a [client.NAME] for each who may use the proxy:
# docs/sandbox.md has an example. (With allow_anonymous = true instead, publish the
# port to those only who may use the App.) The image runs as uid 65532, which must
# be able to read key and configuration, and nobody else needs to:
#
#   sudo chown -R 65532:65532 /etc/ghapp-proxy && sudo chmod -R u=rX,go= /etc/ghapp-proxy
#
# What it writes, an audit_log say, goes to /var/lib/ghapp-proxy, or is "-". The
# health check asks the listener of [admin], listen = "127.0.0.1:9090" say, whether the
# proxy is ready; without one, it asks the proxy itself, which tells only that it answers.
#
# Where private_key_command or signer_command need a shell and other programs
# (docs/secrets.md), build the other target, and from it an image of your own:
#
#   docker build -t ghapp-proxy:shell --target shell .
#
# Both take --build-arg VERSION=… and REVISION=… for their labels.

ARG SHELL_BASE=debian:bookworm-slim

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/ghapp-proxy . \
 && mkdir -p /out/state \
 && cp /etc/ssl/certs/ca-certificates.crt /out/

FROM ${SHELL_BASE} AS shell
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="ghapp-proxy" \
      org.opencontainers.image.description="Proxy that gives unmodified tools GitHub App authentication, with a shell" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ghapp-proxy /usr/bin/ghapp-proxy
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/state /var/lib/ghapp-proxy
ENV GHAPP_PROXY_CONFIG=/etc/ghapp-proxy/config.toml XDG_STATE_HOME=/var/lib HOME=/tmp
USER 65532:65532
VOLUME /var/lib/ghapp-proxy
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s CMD ["/usr/bin/ghapp-proxy", "health"]
ENTRYPOINT ["/usr/bin/ghapp-proxy"]
CMD ["serve"]

FROM scratch
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="ghapp-proxy" \
      org.opencontainers.image.description="Proxy that gives unmodified tools GitHub App authentication" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ghapp-proxy /usr/bin/ghapp-proxy
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/state /var/lib/ghapp-proxy
ENV GHAPP_PROXY_CONFIG=/etc/ghapp-proxy/config.toml XDG_STATE_HOME=/var/lib
USER 65532:65532
VOLUME /var/lib/ghapp-proxy
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s CMD ["/usr/bin/ghapp-proxy", "health"]
ENTRYPOINT ["/usr/bin/ghapp-proxy"]
CMD ["serve"]
