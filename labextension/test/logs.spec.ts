import type { Stream } from '../src/api/details';
import { frames } from '../src/components/details/Traceback';
import { sparkPath } from '../src/components/Sparkline';
import { LogBuffer } from '../src/model/logBuffer';

const piece = (text: string, stream: Stream = 'stdout') => ({ stream, start: 0, end: 0, text });

describe('a log', () => {
  const texts = (buffer: LogBuffer) => buffer.lines.map(line => line.text);

  it('is put together from pieces that end in the middle of a line', () => {
    const buffer = new LogBuffer();
    buffer.append([piece('one\ntw')]);
    expect(texts(buffer)).toEqual(['one', 'tw']);
    buffer.append([piece('o\nthree\n')]);
    expect(texts(buffer)).toEqual(['one', 'two', 'three']);
  });

  it('finishes a line where it stands when the other stream came between', () => {
    const buffer = new LogBuffer();
    buffer.append([piece('load'), piece('oops\n', 'stderr'), piece('ing\n')]);
    expect(texts(buffer)).toEqual(['loading', 'oops']);
  });

  it('shows the latest state of a progress bar', () => {
    const buffer = new LogBuffer();
    buffer.append([piece('10%\r')]);
    buffer.append([piece('20%\r')]);
    expect(texts(buffer)).toEqual(['20%']);
  });

  it('keeps keys apart when older lines are put before', () => {
    const buffer = new LogBuffer();
    buffer.append([piece('b\n')]);
    buffer.prepend([piece('a\n')]);
    buffer.prepend([piece('z\n')]);
    expect(texts(buffer)).toEqual(['z', 'a', 'b']);
    expect(new Set(buffer.lines.map(line => line.key)).size).toBe(3);
  });
});

describe('a traceback', () => {
  it('tells own frames from those of libraries', () => {
    const text = [
      'Traceback (most recent call last):',
      '  File "/home/ana/a.py", line 3, in <module>',
      '    main()',
      '  File "/usr/lib/python3.11/site-packages/box.py", line 1, in get',
      '    return it[key]',
      "KeyError: 'lr'"
    ].join('\n');
    expect(frames(text).map(({ kind }) => kind)).toEqual([
      'text',
      'own',
      'code',
      'library',
      'library',
      'error'
    ]);
  });

  it('knows the frames that IPython prints', () => {
    expect(frames('Cell In[4], line 1')[0].kind).toBe('own');
    expect(frames('\u001b[31mZeroDivisionError\u001b[0m: division by zero')[0].kind).toBe('error');
  });
});

describe('a sparkline', () => {
  it('leaves a gap where nothing was measured', () => {
    expect(sparkPath([0, null, 100]).match(/M/g)).toHaveLength(2);
  });
});
