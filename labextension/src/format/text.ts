// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/** A line as a terminal would leave it: without colour codes, and after its last carriage return. */
export function terminalLine(line: string): string {
  const plain = line.replace(ESCAPES, '');
  const parts = plain.replace(/\r+$/, '').split('\r');
  return parts[parts.length - 1];
}

/** Text without colour codes, lines kept. */
export function plain(text: string): string {
  return text.replace(ESCAPES, '');
}

/** The first line that says something: neither blank nor a comment. */
export function firstLine(code: string): string {
  const lines = code.split('\n').map(line => line.trim());
  return lines.find(line => line && !line.startsWith('#')) ?? lines.find(line => line) ?? '';
}

/** The last part of a path. */
export function basename(path: string): string {
  return path.split('/').filter(Boolean).pop() ?? path;
}
