# Stonechat in one image: everything that script/run starts, supervised as script/run does it. docker-compose.yml starts it.
#
# BASE is any Debian 12 or newer. What is installed is what script/setup says, plus the libraries the programs are linked to.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /opt/stonechat
# Before the sources, so that a change of those does not install everything anew.
COPY script/setup script/
RUN script/setup build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN script/build && strip build/stonechat build/stonechat-api build/stonechat-push
# The packages of the libraries, found by what the programs name.
RUN objdump -p build/stonechat build/stonechat-api build/stonechat-push | sed -n 's|^ *NEEDED *|*/|p' | sort -u \
	| xargs dpkg-query -S | cut -d: -f1 | sort -u >build/libraries

FROM ${BASE}
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /opt/stonechat
COPY script/setup script/
COPY --from=build /opt/stonechat/build/libraries build/
RUN script/setup run \
	&& xargs env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends <build/libraries >/dev/null \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
RUN useradd --system --uid 800 --user-group --home-dir /data --no-log-init stonechat \
	&& install -d -m 700 -o stonechat -g stonechat /data
COPY script/run script/
COPY conf conf
COPY --from=build /opt/stonechat/web/dist web/dist
COPY --from=build /opt/stonechat/build/stonechat /opt/stonechat/build/stonechat-api /opt/stonechat/build/stonechat-push build/

USER stonechat
VOLUME /data
# Who may reach the port is decided where it is published.
ENV PATH=/opt/stonechat/build:$PATH STONECHAT_DATA=/data STONECHAT_BIND=0.0.0.0
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["bash", "-euc", \
	"exec 3<>/dev/tcp/127.0.0.1/$(stonechat config get port); printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3; read -r _ status _ <&3; [ $status = 200 ]"]
# Its shell is process 1: it takes over orphans, ends everything in order when told to, and then has status 0.
CMD ["script/run", "--no-install", "--no-build", "--logs"]
