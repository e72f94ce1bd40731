import type { ILogSegment, Stream } from '../api/details';
import { terminalLine } from '../format/text';

export interface ILogLine {
  key: number;
  stream: Stream;
  text: string;
}

const KEEP = 20_000;

/** The lines of a log as they come in pieces: a piece may end in the middle of a line, of either stream. */
export class LogBuffer {
  lines: readonly ILogLine[] = [];

  append(segments: readonly ILogSegment[]): void {
    if (segments.length === 0) {
      return;
    }
    const lines = [...this.lines];
    for (const { stream, text } of segments) {
      this.take(lines, stream, text);
    }
    this.lines = lines.length > KEEP ? lines.slice(-KEEP) : lines;
  }

  /** Older text, read backwards. Its last lines end where the present ones begin. */
  prepend(segments: readonly ILogSegment[]): void {
    const older = new LogBuffer();
    older.append(segments);
    const first = Math.min(0, ...this.lines.map(line => line.key)) - older.lines.length - 1;
    const lines = older.lines.map((line, index) => ({ ...line, key: first + index }));
    this.lines = [...lines, ...this.lines].slice(0, KEEP);
  }

  private take(lines: ILogLine[], stream: Stream, text: string): void {
    const pieces = ((this.rest.get(stream) ?? '') + text).split('\n');
    const open = this.open.get(stream);
    const rest = pieces.pop() ?? '';
    pieces.forEach((piece, index) => this.put(lines, stream, piece, index === 0 ? open : undefined));
    this.open.delete(stream);
    if (rest !== '') {
      this.open.set(stream, this.put(lines, stream, rest, pieces.length === 0 ? open : undefined));
    }
    this.rest.set(stream, rest);
  }

  // A line that was shown unfinished is finished where it stands.
  private put(lines: ILogLine[], stream: Stream, raw: string, key: number | undefined): number {
    const line = { key: key ?? this.next++, stream, text: terminalLine(raw) };
    const at = key === undefined ? -1 : lines.findLastIndex(other => other.key === key);
    if (at >= 0) {
      lines[at] = line;
    } else {
      lines.push(line);
    }
    return line.key;
  }

  private next = 0;
  private rest = new Map<Stream, string>();
  private open = new Map<Stream, number>();
}
