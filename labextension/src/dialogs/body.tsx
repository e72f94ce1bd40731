import { ReactWidget } from '@jupyterlab/apputils';
import type { Dialog } from '@jupyterlab/apputils';
import * as React from 'react';

type Draw<T> = (value: T, report: (value: T) => void) => React.ReactElement;

/** A dialog body drawn by React, whose value is whatever it last reported. */
export class Body<T> extends ReactWidget implements Dialog.IBodyWidget<T> {
  constructor(
    private value: T,
    private draw: Draw<T>
  ) {
    super();
    this.addClass('tv-Dialog');
  }

  getValue(): T {
    return this.value;
  }

  protected override render(): React.ReactElement {
    return <Holder start={this.value} draw={this.draw} report={value => (this.value = value)} />;
  }
}

// The value lives in React's state, too: a field that is redrawn later than its event loses the cursor.
function Holder<T>(props: { start: T; draw: Draw<T>; report: (value: T) => void }): React.ReactElement {
  const [value, set] = React.useState(props.start);
  return props.draw(value, next => {
    set(next);
    props.report(next);
  });
}
