/**
 * The parts of `@std/path` that this project uses, typed as version 1 types them, but for URLs in the
 * place of paths, which came with 1.1.
 */

export function basename(path: string, suffix?: string): string;
export function dirname(path: string): string;
export function fromFileUrl(url: string | URL): string;
export function isAbsolute(path: string): boolean;
export function join(path: string, ...paths: string[]): string;
export function relative(from: string, to: string): string;
export function resolve(...pathSegments: string[]): string;
export const SEPARATOR: "/" | "\\";
export const SEPARATOR_PATTERN: RegExp;
