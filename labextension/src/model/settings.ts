import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal, type ISignal } from '@lumino/signaling';

import type { SortKey } from './view';

/** What the user can set; the schema in schema/panel.json says what each means. */
export interface ISettings {
  confirmPauseResume: boolean;
  refreshSeconds: number;
  endedHours: number;
  graceSeconds: number;
  notifyFailures: boolean;
  notifyEffects: boolean;
  showStatusBar: boolean;
  sort: SortKey;
}

export const DEFAULTS: ISettings = {
  confirmPauseResume: false,
  refreshSeconds: 3,
  endedHours: 24,
  graceSeconds: 30,
  notifyFailures: true,
  notifyEffects: true,
  showStatusBar: true,
  sort: 'started'
};

/** The settings, defaults where there are none. */
export class Settings {
  values: ISettings = DEFAULTS;

  get changed(): ISignal<this, ISettings> {
    return this._changed;
  }

  /** Follow the settings of a plugin. */
  follow(settings: ISettingRegistry.ISettings): void {
    const read = () => {
      this.values = { ...DEFAULTS, ...(settings.composite as Partial<ISettings>) };
      this._changed.emit(this.values);
    };
    this.save = (key, value) => void settings.set(key, value);
    settings.changed.connect(read);
    read();
  }

  save: <K extends keyof ISettings>(key: K, value: ISettings[K]) => void = (key, value) => {
    this.values = { ...this.values, [key]: value };
    this._changed.emit(this.values);
  };

  private _changed = new Signal<this, ISettings>(this);
}
