/** The commands, for the palette, menus and keyboard. */
export const CommandIDs = {
  showPanel: 'tablevault:show-panel',
  refresh: 'tablevault:refresh',
  open: 'tablevault:open',
  pause: 'tablevault:pause',
  pauseNow: 'tablevault:pause-now',
  resume: 'tablevault:resume',
  stop: 'tablevault:stop',
  stopNow: 'tablevault:stop-now',
  withdraw: 'tablevault:withdraw',
  escalate: 'tablevault:escalate',
  runAgain: 'tablevault:run-again',
  markSeen: 'tablevault:mark-seen',
  selectAll: 'tablevault:select-all',
  focusFilter: 'tablevault:focus-filter',
  settings: 'tablevault:settings',
  copyName: 'tablevault:copy-name',
  toggleNotebook: 'tablevault:toggle-notebook',
  stopNotebook: 'tablevault:stop-notebook',
  startRecording: 'tablevault:start-recording'
} as const;
