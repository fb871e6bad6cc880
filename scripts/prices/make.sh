#!/usr/bin/env bash
# Writes internal/price/catalogue.json: installs the pinned package of list prices into a directory that
# is removed again, and merges it with internal/price/reviewed.json.
set -euo pipefail
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp package.json package-lock.json "$tmp"
npm ci --prefix "$tmp" --ignore-scripts --no-audit --no-fund --silent
node catalogue.mjs "$tmp" "${DATE:-$(date -u +%F)}" >"$tmp/catalogue.json"
mv "$tmp/catalogue.json" ../../internal/price/catalogue.json
