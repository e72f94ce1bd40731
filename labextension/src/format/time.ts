/** A duration for people: "0.3 s", "41 s", "3 m", "2 h 5 m", "4 d". Seconds in, null gives an empty string. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) {
    return '';
  }
  const value = Math.max(0, seconds);
  if (value < 0.001) {
    return '<1 ms';
  }
  if (value < 0.0995) {
    return `${Math.round(value * 1000)} ms`;
  }
  if (value < 9.95) {
    return `${value.toFixed(1)} s`;
  }
  if (value < 99.5) {
    return `${Math.round(value)} s`;
  }
  const minutes = Math.round(value / 60);
  if (minutes < 60) {
    return `${minutes} m`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    return minutes % 60 ? `${hours} h ${minutes % 60} m` : `${hours} h`;
  }
  return `${Math.floor(hours / 24)} d`;
}

/** Like `duration`, but whole seconds below a minute, so that a ticking figure does not dance. */
export function elapsed(seconds: number): string {
  return seconds < 60 ? `${Math.max(0, Math.floor(seconds))} s` : duration(seconds);
}

/** Milliseconds since the epoch of an ISO time; null if there is none. */
export function millis(time: string | null | undefined): number | null {
  if (!time) {
    return null;
  }
  const value = Date.parse(time);
  return Number.isNaN(value) ? null : value;
}

/** Seconds between two ISO times; null if one is missing. */
export function between(from: string | null, to: string | null): number | null {
  const start = millis(from);
  const end = millis(to);
  return start === null || end === null ? null : (end - start) / 1000;
}

/** Local date and time for tooltips. */
export function absolute(time: string | null | undefined): string {
  const value = millis(time);
  return value === null ? '' : new Date(value).toLocaleString();
}
