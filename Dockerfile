# syntax=docker/dockerfile:1
#
# The image of Yarak: Node, the program, and no shell.
#
#   docker build --tag yarak .
#   docker run --rm yarak --version
#
# Its configuration is /etc/yarak/yarak.yaml, and it keeps its files in /var/lib/yarak: mount both. compose.yaml does so.
# A rule whose local:script needs a shell, or another program, needs a base that has it:
#
#   docker build --tag yarak --build-arg RUNTIME=node:24.21.0-slim .
#
# For a release: every architecture (nothing in it is compiled), the same bytes from the same commit, and a bill of
# materials. Then give both bases by digest, as NODE=node@sha256:... and RUNTIME=gcr.io/...@sha256:..., since a tag moves.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max \
#     --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) --build-arg REVISION=$(git rev-parse HEAD) \
#     --output type=image,name=registry.example.com/security/yarak,push=true,rewrite-timestamp=true .
#
# The bill of what is used of npm alone, without a build: npm sbom --omit=dev --sbom-format=cyclonedx

ARG NODE=node:24.21.0-slim
ARG RUNTIME=gcr.io/distroless/nodejs24-debian13:nonroot

FROM --platform=$BUILDPLATFORM ${NODE} AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY inputs inputs
COPY outputs outputs
RUN npm run build
RUN npm prune --omit=dev
RUN mkdir data

FROM ${RUNTIME}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Yarak" \
  org.opencontainers.image.description="An embeddable gateway and response engine for Falco" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# Node is at the first place in the distroless base, at the second in those of Node itself.
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin
ENV NODE_ENV=production
WORKDIR /app
COPY LICENSE package.json ./
COPY config config
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build --chown=65532:65532 /app/data /var/lib/yarak
USER 65532:65532
EXPOSE 2801
# For Docker; Kubernetes asks by the probes of the chart. With TLS, or another port, run it with --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:2801/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/src/main.js"]
CMD ["run", "--config", "/etc/yarak/yarak.yaml"]
