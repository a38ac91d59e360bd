# The images of Stonechat: `docker build .` makes the one that holds a whole node, --target NAME one of those that
# docker-compose.yml puts together: programs web redis postgres balancer. All are Debian packages on one base.
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

# A user for each kind of program, and the folders that volumes begin as: with these owners they can be written to, or not.
# A file in a folder of secrets belongs to the group of who reads it.
FROM ${BASE} AS common
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /opt/stonechat
RUN add() { useradd --system --uid "$1" --user-group --home-dir "$3" --no-log-init "$2"; } \
	&& add 800 stonechat /data && add 801 postgres /var/lib/postgresql && add 802 redis /tmp && add 803 haproxy /tmp \
	&& install -d -m 700 -o stonechat -g stonechat /data /data/keys /data/run /data/log \
	&& install -d -m 750 -o stonechat -g stonechat /run/stonechat \
	&& install -d -m 700 -o postgres -g postgres /var/lib/postgresql \
	&& install -d -m 2750 -o postgres -g stonechat /secrets && install -d -m 2750 -o redis -g stonechat /secrets.redis
COPY script/setup script/

# -- what Stonechat stands on
FROM common AS redis
RUN script/setup redis && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
COPY conf/container conf/container
USER redis
VOLUME /secrets.redis
EXPOSE 6379
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["conf/container/redis", "healthy"]
CMD ["conf/container/redis"]

FROM common AS balancer
RUN script/setup balancer && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
COPY conf/haproxy.cfg conf/
COPY conf/errors conf/errors
COPY conf/container conf/container
USER haproxy
ENV WEB="web-1 web-2" PUSH="push-1 push-2"
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["conf/container/healthy", "8080", "/readyz"]
# Open connections end before it does; push closes its own meanwhile.
STOPSIGNAL SIGUSR1
CMD ["conf/container/balancer"]

# Debian's PostgreSQL without its compiler of queries (LLVM is larger than all the rest; short queries gain nothing by it) and
# without the scripts for several clusters on a machine.
FROM common AS postgres
RUN apt-get -qq update \
	&& server=$(apt-cache depends postgresql | sed -n 's/^ *Depends: //p') && client=${server/postgresql/postgresql-client} \
	&& apt-cache depends "$server" "$client" | sed -n 's/^ *Depends: \(lib.*\)/\1/p' | grep -v llvm | sort -u \
	| xargs env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends >/dev/null \
	&& cd /tmp && apt-get -qq download "$server" "$client" && for package in *.deb; do dpkg-deb -x "$package" /; done \
	&& ln -s "${server#postgresql-}" /usr/lib/postgresql/current \
	&& rm -rf /tmp/* /usr/lib/postgresql/*/lib/{bitcode,llvmjit*} /usr/share/doc/postgresql* /usr/share/postgresql/*/man \
		/usr/share/locale/*/LC_MESSAGES/* /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
COPY conf/container conf/container
USER postgres
VOLUME /var/lib/postgresql /secrets
ENV PATH=/usr/lib/postgresql/current/bin:$PATH
EXPOSE 5432
HEALTHCHECK --interval=2s --timeout=3s --start-period=60s --retries=5 CMD ["pg_isready", "-q", "-h", "/tmp"]
# Asks nobody to end by himself, and ends in order.
STOPSIGNAL SIGINT
ENTRYPOINT ["conf/container/postgres"]

# -- Stonechat's own programs
FROM common AS programs
COPY --from=build /opt/stonechat/build/libraries build/
RUN script/setup push \
	&& xargs env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends <build/libraries >/dev/null \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
COPY --from=build /opt/stonechat/build/stonechat /opt/stonechat/build/stonechat-api /opt/stonechat/build/stonechat-push build/
COPY conf/container conf/container
USER stonechat
ENV PATH=/opt/stonechat/build:$PATH STONECHAT_DATA=/data
EXPOSE 8081
# An api, unless another program is named. That it serves requests is what the check of web says.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["conf/container/healthy", "8090", "/metrics"]
CMD ["stonechat-api", "--push.processes=0", "--metrics.port=8090"]

FROM programs AS web
USER root
RUN script/setup web && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
USER stonechat
COPY conf conf
COPY --from=build /opt/stonechat/web/dist web/dist
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["conf/container/healthy", "8080", "/readyz"]
# Lets open requests end.
STOPSIGNAL SIGINT
CMD ["conf/container/web"]

# -- a whole node in one container: everything that script/run starts, supervised as script/run does it
FROM web
USER root
RUN script/setup run && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
USER stonechat
COPY script/run script/
VOLUME /data
# Who may reach the port is decided where it is published.
ENV STONECHAT_BIND=0.0.0.0
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["conf/container/healthy", "", "/readyz"]
STOPSIGNAL SIGTERM
# Its shell is process 1: it takes over orphans, ends everything in order when told to, and then has status 0.
CMD ["script/run", "--no-install", "--no-build", "--logs"]
