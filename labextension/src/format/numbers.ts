const UNITS = ['B', 'K', 'M', 'G', 'T'];

/** Bytes in at most four characters and a unit: 812 → "812B", 3.1e9 → "2.9G". Binary units, as JupyterLab's file browser. */
export function bytes(size: number | null | undefined): string {
  if (size === null || size === undefined) {
    return '';
  }
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)}${UNITS[unit]}`;
}

/** Per cent without decimals, except small figures that would read as nothing: 0.4 → "0.4%". */
export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return '';
  }
  return `${value > 0 && value < 0.95 ? value.toFixed(1) : Math.round(value)}%`;
}

/** A metric for people: at most four significant digits, scientific only where plain digits would mislead. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return '–';
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    return value.toExponential(2);
  }
  return String(Number(value.toPrecision(4)));
}
