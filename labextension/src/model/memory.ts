import type { IHost, IProcess } from '../api/types';

/** Where far more is free than it holds, nobody has to be asked, and a resume takes effect sooner. */
export function plenty(process: IProcess, host: IHost | null): boolean {
  const held = process.resources?.rss ?? null;
  return held !== null && host !== null && host.memory_available > 2 * held;
}
