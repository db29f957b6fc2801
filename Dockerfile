# The service in an image: built in one stage, run by an unprivileged user in another.
# SPDX-License-Identifier: Apache-2.0
#
#   docker build -t rein . && docker run --network host -v rein-data:/var/lib/rein rein
#
# The configuration is the sample of config/, in /etc/rein: mount your own over it, with a store below /var/lib/rein.
#
# tests/house/fresh.sh runs these steps in an empty Debian tree; it knows the instructions used here and no others.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY script script
RUN script/bootstrap build
COPY . .
RUN cmake --preset release -DREIN_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr && ninja -C build/release rein && DESTDIR=/out cmake --install build/release
RUN sed -i 's,sqlite:rein.db,sqlite:/var/lib/rein/rein.db,' /out/etc/rein/rein.yaml

FROM debian:bookworm-slim
COPY script/bootstrap /usr/share/rein/script/bootstrap
RUN /usr/share/rein/script/bootstrap run && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
RUN useradd --system --home-dir /var/lib/rein --create-home --shell /usr/sbin/nologin rein
COPY --from=build /out/ /
USER rein
WORKDIR /var/lib/rein
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=2s CMD curl -fsS -o /dev/null http://127.0.0.1:8080/healthz
ENTRYPOINT ["/usr/bin/rein"]
CMD ["serve", "-c", "/etc/rein/rein.yaml"]
