# The farm in an image: `docker build -t render-farm .`; docker-compose.yml runs the whole of it.
# `farm serve` is its command; `worker`, `dashboard` and `doctor` are others that it has.
# Without an engine, `python -m tests.image` follows these steps and tries what comes of them.

FROM debian:bookworm-slim AS build

# hadolint ignore=DL3008  # Debian removes a version once a fixed one is there: take today's
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv

# The same place as in the final stage, since a venv cannot be moved.
WORKDIR /opt/render-farm
# The locked packages first: they change less often than the farm does.
COPY conf/requirements.txt conf/requirements-source.txt /src/conf/
RUN python3 -m venv .venv && \
    .venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r /src/conf/requirements.txt && \
    .venv/bin/pip install --no-cache-dir --require-hashes --no-deps --no-build-isolation \
        -r /src/conf/requirements-source.txt
COPY setup.cfg pyproject.toml README.md LICENSE /src/
COPY farm /src/farm
# What installs is not what runs: pip and setuptools go when they are done.
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation /src && \
    .venv/bin/pip uninstall -y setuptools pip


FROM debian:bookworm-slim

LABEL org.opencontainers.image.title="Render Farm" \
      org.opencontainers.image.description="Turns HTML and URLs into PNG, JPEG, WebP and PDF." \
      org.opencontainers.image.licenses="MIT"

# Fonts as in conf/setup; libatomic1 is for the Node of Playwright's driver; of the uBlock Origin
# extension only the lists of ads are read.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends \
        ca-certificates chromium-headless-shell fontconfig fonts-liberation fonts-noto-cjk \
        fonts-noto-color-emoji fonts-noto-core libatomic1 python3 tini \
        webext-ublock-origin-chromium && \
    rm -rf /var/lib/apt/lists/*

# Not root, so neither is Chromium. The number is fixed for whoever mounts files or names it in a
# policy. The folder is for a farm without a Redis of its own: `docker run` with no setting works.
RUN groupadd --gid 10001 farm && \
    useradd --uid 10001 --gid farm --home-dir /nonexistent --shell /usr/sbin/nologin farm && \
    install -d -o farm -g farm /var/lib/render-farm

COPY --from=build /opt/render-farm /opt/render-farm

ENV PATH=/opt/render-farm/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    FARM_HOST=0.0.0.0 \
    FARM_DATA_DIR=/var/lib/render-farm
WORKDIR /var/lib/render-farm
USER 10001:10001
EXPOSE 3000

# http.client and not urllib, which would ask a proxy that the environment names. The first browser
# takes a few seconds to start.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, sys; farm = http.client.HTTPConnection('127.0.0.1', 3000, timeout=5); farm.request('GET', '/health'); sys.exit(farm.getresponse().status != 200)"]

# tini reaps what Chromium leaves, and passes SIGTERM on. `docker stop` needs `-t 140`: a render or
# a download that has begun is brought to its end.
ENTRYPOINT ["tini", "--", "farm"]
CMD ["serve"]
