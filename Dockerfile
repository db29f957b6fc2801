# The container image: built in one stage; runs as an unprivileged user in another.
# SPDX-License-Identifier: Apache-2.0
#
#   docker build -t rein .
#   docker run --name rein -p 8080:8080 -v rein-data:/var/lib/rein -e REIN_UPSTREAM_URL=http://HOST:8000 rein
#   docker exec rein cat /var/lib/rein/keys.yaml.secret      prints the key for clients, made at the first start
#
# The config is config/container.yaml, in the image as /etc/rein/rein.yaml: mount your own over it.
#
# tests/house/fresh.sh runs these steps in an empty Debian tree; it supports only the instructions used here.
# tests/integration/container.test.mjs runs the image's command and its health check.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY script script
RUN script/bootstrap build
COPY . .
RUN cmake --preset release -DREIN_TESTS=OFF && ninja -C build/release rein
RUN DESTDIR=/out cmake --install build/release --prefix /usr && cp config/container.yaml /out/etc/rein/rein.yaml

FROM debian:bookworm-slim
COPY script/bootstrap /usr/share/rein/script/bootstrap
RUN /usr/share/rein/script/bootstrap run && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
RUN useradd --system --home-dir /var/lib/rein --create-home --shell /usr/sbin/nologin rein
COPY --from=build /out/ /
USER rein
WORKDIR /var/lib/rein
EXPOSE 8080 8081
# Uses the container's own address: a listener on loopback alone cannot be reached from outside.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD curl -fsS -o /dev/null "http://$(hostname -I | cut -d' ' -f1):8080/healthz"
ENTRYPOINT ["/usr/bin/rein"]
CMD ["serve", "-c", "/etc/rein/rein.yaml", "--first-keys"]
