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
const START_GZIP_MAX = 40 * 1024; // what is read before the first message is shown: the page must stay small
const ALL_GZIP_MAX = 56 * 1024;

function esbuild(...options) {
	execFileSync(join(here, "node_modules/.bin/esbuild"), [...options, "--log-level=warning"], { cwd: here, stdio: "inherit" });
}

function buildDocs(out) {
	const swagger = join(here, "node_modules/swagger-ui-dist");
	const document = parse(readFileSync(join(here, "../api/openapi.yaml"), "utf8"), { merge: true });
	writeFileSync(join(out, "openapi.json"), JSON.stringify(document));
	mkdirSync(join(out, "docs"));
	for (const name of ["index.html", "docs.js"]) copyFileSync(join(here, "docs", name), join(out, "docs", name));
	for (const name of ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "LICENSE", "NOTICE"])
		copyFileSync(join(swagger, name), join(out, "docs", name));
}

/** What main.js imports before it can start, asked for together with it. */
function preloads(out, main) {
	const needed = readFileSync(join(out, "assets", main), "utf8").matchAll(/(?:from|import)"\.\/(chunk-[^"]+)"/g);
	return [...needed].map(([, name]) => `<link rel="modulepreload" href="/assets/${name}" />`).join("");
}

/** Scripts named chunk-… are shared by the start and what is loaded later, so they count as the start's. */
function checkSizes(out, assets) {
	let start = 0;
	let all = 0;
	for (const name of assets) {
		const bytes = gzipSync(readFileSync(join(out, "assets", name))).length;
		console.log(`web/dist/assets/${name}: ${(bytes / 1024).toFixed(1)} KB compressed`);
		if (!name.endsWith(".js")) continue;
		all += bytes;
		if (/^(main|chunk)-/.test(name)) start += bytes;
	}
	console.log(`scripts: ${(start / 1024).toFixed(1)} KB to start, ${(all / 1024).toFixed(1)} KB in all`);
	if (start > START_GZIP_MAX || all > ALL_GZIP_MAX) throw new Error(`the scripts are over ${START_GZIP_MAX} bytes to start or ${ALL_GZIP_MAX} in all`);
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
		"--splitting",
		"--entry-names=[name]-[hash]",
		"--chunk-names=[name]-[hash]",
		`--outdir=${join(out, "assets")}`,
	);
	const assets = readdirSync(join(out, "assets"));
	const main = (extension) => assets.find((name) => name.startsWith("main-") && name.endsWith(extension));
	let page = readFileSync(join(here, "index.html"), "utf8");
	for (const extension of [".js", ".css"]) page = page.replace(`/assets/main${extension}`, `/assets/${main(extension)}`);
	writeFileSync(join(out, "index.html"), page.replace("<!-- shared -->", preloads(out, main(".js"))));
	checkSizes(out, assets);
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
