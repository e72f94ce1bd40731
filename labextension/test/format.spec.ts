import { bytes, figure, percent } from '../src/format/numbers';
import { basename, firstLine, terminalLine } from '../src/format/text';
import { between, duration, elapsed } from '../src/format/time';

describe('numbers', () => {
  it.each([
    [0, '0B'],
    [812, '812B'],
    [1000, '1.0K'],
    [3.3e9, '3.1G'],
    [29e9, '27G'],
    [null, '']
  ])('says %p bytes as %p', (size, text) => expect(bytes(size)).toBe(text));

  it.each([
    [0, '0%'],
    [0.34, '0.3%'],
    [212.4, '212%'],
    [null, '']
  ])('says %p per cent as %p', (value, text) => expect(percent(value)).toBe(text));

  it.each([
    [0.31234567, '0.3123'],
    [14, '14'],
    [0.00001234, '1.23e-5'],
    [null, '–']
  ])('says the figure %p as %p', (value, text) => expect(figure(value)).toBe(text));
});

describe('times', () => {
  it.each([
    [0.0321, '32 ms'],
    [0.3, '0.3 s'],
    [41, '41 s'],
    [180, '3 m'],
    [7500, '2 h 5 m'],
    [7200, '2 h'],
    [400000, '4 d'],
    [null, '']
  ])('says %p seconds as %p', (seconds, text) => expect(duration(seconds)).toBe(text));

  it('ticks in whole seconds', () => expect(elapsed(2.9)).toBe('2 s'));

  it('measures from one time to another', () => {
    expect(between('2026-11-21T08:00:00.000Z', '2026-11-21T08:00:00.300Z')).toBeCloseTo(0.3);
    expect(between('2026-11-21T08:00:00Z', null)).toBeNull();
  });
});

describe('text', () => {
  it('is what a terminal would leave', () => {
    expect(terminalLine('\u001b[31mred\u001b[0m')).toBe('red');
    expect(terminalLine('10%\r50%\r90%')).toBe('90%');
    expect(terminalLine('done\r')).toBe('done');
  });

  it('skips comments for the first line that says something', () => {
    expect(firstLine('\n# look\n  orders.describe()')).toBe('orders.describe()');
    expect(firstLine('# only this')).toBe('# only this');
  });

  it('finds the last part of a path', () => expect(basename('/a/b.txt')).toBe('b.txt'));
});
