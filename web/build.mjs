// Bundles the page into dist/: index.html, favicon and assets whose names carry a hash of their content; beside them
// openapi.json, made from api/openapi.yaml, and docs/, which shows it.
// With --test: bundles test/ and runs it by node's own runner; further options are the runner's.

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { parse } from "yaml";

const here = dirname(fileURLToPath(import.meta.url));
const SCRIPT_GZIP_MAX = 30 * 1024; // the page must stay small

function esbuild(...options) {
	execFileSync(join(here, "node_modules/.bin/esbuild"), [...options, "--log-level=warning"], { cwd: here, stdio: "inherit" });
}

function buildDocs(out) {
	const swagger = join(here, "node_modules/swagger-ui-dist");
	const document = parse(readFileSync(join(here, "../api/openapi.yaml"), "utf8"));
	writeFileSync(join(out, "openapi.json"), JSON.stringify(document));
	mkdirSync(join(out, "docs"));
	for (const name of ["index.html", "docs.js"]) copyFileSync(join(here, "docs", name), join(out, "docs", name));
	for (const name of ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "LICENSE", "NOTICE"])
		copyFileSync(join(swagger, name), join(out, "docs", name));
}

function build() {
	const out = join(here, "node_modules/.dist");
	rmSync(out, { recursive: true, force: true });
	mkdirSync(out);
	esbuild(
		"src/main.tsx",
		"--bundle",
		"--minify",
		"--format=esm",
		"--target=es2022,chrome100,firefox100,safari15.4",
		"--jsx=automatic",
		"--jsx-import-source=preact",
		"--charset=utf8",
		"--entry-names=[name]-[hash]",
		`--outdir=${join(out, "assets")}`,
	);
	let page = readFileSync(join(here, "index.html"), "utf8");
	for (const name of readdirSync(join(out, "assets"))) {
		page = page.replace(`/assets/main.${name.split(".").pop()}`, `/assets/${name}`);
		const bytes = gzipSync(readFileSync(join(out, "assets", name))).length;
		console.log(`web/dist/assets/${name}: ${(bytes / 1024).toFixed(1)} KB compressed`);
		if (name.endsWith(".js") && bytes > SCRIPT_GZIP_MAX) throw new Error(`the script is over ${SCRIPT_GZIP_MAX} bytes`);
	}
	writeFileSync(join(out, "index.html"), page);
	copyFileSync(join(here, "src/favicon.svg"), join(out, "favicon.svg"));
	buildDocs(out);
	rmSync(join(here, "dist"), { recursive: true, force: true });
	renameSync(out, join(here, "dist"));
}

function test(runnerOptions) {
	const out = mkdtempSync(join(tmpdir(), "stonechat-web-test-"));
	try {
		const tests = readdirSync(join(here, "test")).filter((name) => name.endsWith(".test.ts"));
		const cases = JSON.stringify(join(here, "../tests/cases/client"));
		const options = ["--bundle", "--platform=node", "--format=esm", "--out-extension:.js=.mjs", `--outdir=${out}`, `--define:CASES_DIR=${cases}`];
		esbuild(...tests.map((name) => join("test", name)), ...options);
		const run = spawnSync(process.execPath, ["--test", ...runnerOptions, ...tests.map((name) => join(out, basename(name, ".ts") + ".mjs"))], { stdio: "inherit" });
		process.exitCode = run.status ?? 1;
	} finally {
		rmSync(out, { recursive: true, force: true });
	}
}

if (process.argv[2] === "--test") test(process.argv.slice(3));
else build();
