/** The server's time, and one tick a second for everything that shows a relative time. */
export class Clock {
  private offset = 0;
  private timer: number | null = null;
  private listeners = new Set<() => void>();

  /** Milliseconds since the epoch by the server's clock; the browser's may be wrong. */
  now(): number {
    return Date.now() + this.offset;
  }

  /** Learn the server's time from an answer that has just come. */
  set(serverMillis: number | null): void {
    if (serverMillis !== null) {
      const offset = serverMillis - Date.now();
      // The way here took some milliseconds; only a real difference is worth a jump.
      this.offset = Math.abs(offset) > 1500 ? offset : 0;
    }
  }

  /** Call `listener` each second until the returned function is called. Without listeners no timer runs. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    this.timer ??= window.setInterval(() => this.tick(), 1000);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0 && this.timer !== null) {
        window.clearInterval(this.timer);
        this.timer = null;
      }
    };
  }

  private tick(): void {
    if (!document.hidden) {
      this.listeners.forEach(listener => listener());
    }
  }
}
