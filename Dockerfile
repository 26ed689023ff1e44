# The gateway in an image: docker build --tag onemcp .
# docs/deploy.md says how to run it and how to add the programs of your stdio servers.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
RUN python -m venv /opt/onemcp
COPY requirements/run.txt requirements/
RUN /opt/onemcp/bin/python -m pip install --no-cache-dir --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/onemcp/bin/python -m pip install --no-cache-dir --no-deps .

FROM python:${PYTHON}-slim
# curl is for health checks; tini reaps what servers leave behind, which is the duty of the first process.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl tini \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 onemcp \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin onemcp \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/onemcp \
    && install --directory /etc/onemcp
COPY --from=build /opt/onemcp /opt/onemcp
# It listens for others than its own container, and therefore starts only where ONE_MCP_ALLOW_UNAUTHENTICATED says
# that something else decides who reaches it.
ENV PATH=/opt/onemcp/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    ONE_MCP_HOST=0.0.0.0 \
    ONE_MCP_STATE_DIR=/var/lib/onemcp
# Numbers, because Kubernetes cannot tell from a name that it is not root.
USER 10001:10001
WORKDIR /tmp
VOLUME /var/lib/onemcp
EXPOSE 3050
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "1mcp"]
CMD ["serve", "--config", "/etc/onemcp/mcp.json"]
