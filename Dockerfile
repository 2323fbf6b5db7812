# beatrelay as a container: docker build -t beatrelay . (or make image)
# BASE: any Debian-like image with Python >= 3.11 as `python`.
# EXTRAS: which set of requirements/ goes in: runtime (the relay), or demo (with the sandbox's video tools).
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# What changes seldom comes first: the packages, each checked against its hash.
COPY requirements/ requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/build.txt
ARG EXTRAS=runtime
RUN python -m venv --without-pip /opt/beatrelay \
 && /opt/build/bin/python -m pip --python /opt/beatrelay/bin/python install \
      --no-cache-dir --require-hashes -r "requirements/${EXTRAS}.txt"

COPY pyproject.toml README.md LICENSE ./
COPY connectors/ connectors/
COPY relay/ relay/
COPY recipes/ recipes/
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/build/bin/python -m pip --python /opt/beatrelay/bin/python install --no-deps --no-index /dist/*.whl \
 && /opt/beatrelay/bin/python -m compileall -q /opt/beatrelay


FROM ${BASE}
LABEL org.opencontainers.image.title="beatrelay" \
      org.opencontainers.image.description="A self-hosted relay between Beat API and the tools people already use" \
      org.opencontainers.image.licenses="MIT"

# A fixed number, so that a volume's files keep their owner from one image to the next.
RUN groupadd --system --gid 10001 beatrelay \
 && useradd --system --uid 10001 --gid beatrelay --no-create-home --home-dir /data --shell /usr/sbin/nologin beatrelay \
 && install -d -o beatrelay -g beatrelay -m 0700 /data
COPY --from=build /opt/beatrelay /opt/beatrelay

# The byte code is in the image already, and its root may be read-only.
ENV PATH=/opt/beatrelay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BEATRELAY_HOST=0.0.0.0 \
    BEATRELAY_DATA=/data

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('BEATRELAY_PORT', '8787') + '/health', timeout=4)"]
ENTRYPOINT ["beatrelay"]
CMD ["serve"]
