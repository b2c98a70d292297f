# syntax=docker/dockerfile:1.7
# The load generator, for k8s/load-test: docker build --tag parley/load:dev --file deploy/docker/load.Dockerfile .
ARG NODE=22.23.3
FROM node:${NODE}-bookworm-slim
ARG PNPM=12.21.0
RUN npm install --global --ignore-scripts --no-fund --no-audit pnpm@${PNPM}
WORKDIR /parley
COPY . .
RUN pnpm install --frozen-lockfile --ignore-scripts
USER 10001:10001
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "tests/load/src/main.ts"]
CMD ["--help"]
