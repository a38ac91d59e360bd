// A browser's long description of itself in the few words a person knows their device by.

const BROWSERS: [RegExp, string][] = [
	[/Edg(e|A|iOS)?\//, "Edge"],
	[/OPR\//, "Opera"],
	[/SamsungBrowser\//, "Samsung Internet"],
	[/Firefox\/|FxiOS\//, "Firefox"],
	[/Chrome\/|CriOS\/|Chromium\//, "Chrome"],
	[/Safari\//, "Safari"],
];

const SYSTEMS: [RegExp, string][] = [
	[/iPhone/, "iPhone"],
	[/iPad/, "iPad"],
	[/Android/, "Android"],
	[/CrOS/, "ChromeOS"],
	[/Windows/, "Windows"],
	[/Mac OS X|Macintosh/, "Mac"],
	[/Linux|X11/, "Linux"],
];

export function deviceOf(userAgent: string | null | undefined): string {
	const given = userAgent ?? "";
	const find = (names: [RegExp, string][]) => names.find(([sign]) => sign.test(given))?.[1];
	const browser = find(BROWSERS);
	const system = find(SYSTEMS);
	if (browser) return system ? `${browser} on ${system}` : browser;
	return given.split(/[\s/]/)[0] || "Unknown device";
}
