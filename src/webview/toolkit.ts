import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodePanels,
  vsCodePanelTab,
  vsCodePanelView,
  vsCodeProgressRing,
  vsCodeTextArea,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { html, nothing, type TemplateResult } from 'lit';
import { keyed } from 'lit/directives/keyed.js';
import { live } from 'lit/directives/live.js';

/** Defines the controls' elements. Called once, before the first template that uses one. */
export function registerControls(): void {
  provideVSCodeDesignSystem().register(
    vsCodeButton(),
    vsCodeCheckbox(),
    vsCodeDropdown(),
    vsCodeOption(),
    vsCodePanels(),
    vsCodePanelTab(),
    vsCodePanelView(),
    vsCodeProgressRing(),
    vsCodeTextArea(),
    vsCodeTextField(),
  );
}

/**
 * A push button. `icon` is a codicon's name; a button of kind `icon` shows nothing else and speaks its label.
 * `face` is shown in the label's place where there is room for a word only.
 */
export interface ButtonSpec {
  readonly label: string;
  readonly face?: string;
  readonly icon: string | null;
  readonly kind: 'primary' | 'secondary' | 'icon';
  readonly disabled?: boolean;
  readonly hint?: string;
  readonly pressed?: boolean;
  readonly onClick: () => void;
}

/** A push button. */
export function button(spec: ButtonSpec): TemplateResult {
  const icon = spec.icon === null ? nothing : codicon(spec.icon, spec.kind === 'icon' ? null : 'start');
  return html`<vscode-button
    appearance=${spec.kind}
    aria-label=${spec.label}
    aria-pressed=${spec.pressed === undefined ? nothing : String(spec.pressed)}
    title=${spec.hint ?? (spec.kind === 'icon' ? spec.label : nothing)}
    ?disabled=${spec.disabled ?? false}
    @click=${spec.onClick}
    >${icon}${spec.face ?? (spec.kind === 'icon' ? nothing : spec.label)}</vscode-button
  >`;
}

/** An icon of the codicon font, hidden from screen readers: what it says must stand in words beside it. */
export function codicon(name: string, slot: 'start' | null = null): TemplateResult {
  return html`<span class="codicon codicon-${name}" slot=${slot ?? nothing} aria-hidden="true"></span>`;
}

/** A choice among words. */
export interface DropdownSpec {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly { readonly value: string; readonly text: string }[];
  readonly disabled?: boolean;
  readonly hint?: string;
  readonly onChange: (value: string) => void;
}

/** A drop-down list. Built anew when its choices change, because the toolkit's keeps a value that is gone. */
export function dropdown(spec: DropdownSpec): TemplateResult {
  const key = spec.choices.map((choice) => `${choice.value}=${choice.text}`).join('\n');
  return html`${keyed(
    key,
    html`<vscode-dropdown
      aria-label=${spec.label}
      title=${spec.hint ?? nothing}
      ?disabled=${spec.disabled ?? false}
      .value=${live(spec.value)}
      @change=${(event: Event) => spec.onChange(valueOf(event))}
      >${spec.choices.map(
        (choice) =>
          html`<vscode-option value=${choice.value} ?selected=${choice.value === spec.value}
            >${choice.text}</vscode-option
          >`,
      )}</vscode-dropdown
    >`,
  )}`;
}

/** A switch. */
export interface CheckboxSpec {
  readonly label: string;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly hint?: string;
  readonly onChange: (checked: boolean) => void;
}

/** A check box with its label. The toolkit's reports its own state when it is set, so only real changes pass. */
export function checkbox(spec: CheckboxSpec): TemplateResult {
  return html`<vscode-checkbox
    title=${spec.hint ?? nothing}
    ?disabled=${spec.disabled ?? false}
    .checked=${live(spec.checked)}
    @change=${(event: Event) => {
      const checked = event.target !== null && 'checked' in event.target && event.target.checked === true;
      if (checked !== spec.checked) spec.onChange(checked);
    }}
    >${spec.label}</vscode-checkbox
  >`;
}

/** A line of text. `onStep` is called for the arrow keys up (1) and down (-1) and gives the text they lead to. */
export interface TextFieldSpec {
  readonly id: string;
  readonly label: TemplateResult | string;
  readonly value: string;
  /** Characters it has room for. */
  readonly size: number;
  readonly disabled?: boolean;
  readonly hint?: string;
  /** Shown in place of an empty text. */
  readonly placeholder?: string;
  readonly onCommit: (value: string) => void;
  readonly onStep?: (direction: 1 | -1, value: string) => string;
}

/**
 * A text field that reports its value on Enter or when it loses the focus; Escape takes the old value back. What is
 * being typed stays while the page is drawn anew, as long as `value` is the same.
 */
export function textField(spec: TextFieldSpec): TemplateResult {
  const onKeydown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') setValue(event, spec.value);
    if (!spec.onStep || (event.key !== 'ArrowUp' && event.key !== 'ArrowDown')) return;
    event.preventDefault();
    setValue(event, spec.onStep(event.key === 'ArrowUp' ? 1 : -1, valueOf(event)));
  };
  return html`<vscode-text-field
    id=${spec.id}
    size=${spec.size}
    placeholder=${spec.placeholder ?? nothing}
    title=${spec.hint ?? nothing}
    ?disabled=${spec.disabled ?? false}
    .value=${spec.value}
    @change=${(event: Event) => spec.onCommit(valueOf(event))}
    @keydown=${onKeydown}
    >${spec.label}</vscode-text-field
  >`;
}

/** Several lines of text. */
export interface TextAreaSpec {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly rows: number;
  /** Called at every change. */
  readonly onInput: (value: string) => void;
}

/** A field of several lines that reports what is typed at once. */
export function textArea(spec: TextAreaSpec): TemplateResult {
  return html`<vscode-text-area
    id=${spec.id}
    rows=${spec.rows}
    resize="vertical"
    spellcheck="false"
    .value=${live(spec.value)}
    @input=${(event: Event) => spec.onInput(valueOf(event))}
    >${spec.label}</vscode-text-area
  >`;
}

/** A ring that turns while something is under way. */
export function progressRing(): TemplateResult {
  return html`<vscode-progress-ring aria-hidden="true"></vscode-progress-ring>`;
}

/** Tabs with their views. `id`s are words. */
export interface TabsSpec {
  readonly label: string;
  readonly active: string;
  readonly tabs: readonly { readonly id: string; readonly title: string; readonly view: TemplateResult }[];
  readonly onChange: (id: string) => void;
}

/** A row of tabs over their views; arrow keys move between them. */
export function tabs(spec: TabsSpec): TemplateResult {
  return html`<vscode-panels
    aria-label=${spec.label}
    .activeid=${live(`tab-${spec.active}`)}
    @change=${(event: Event) => {
      // The changes of controls inside the views bubble up to here as well.
      if (event.target !== event.currentTarget) return;
      const { target } = event;
      const id = target !== null && 'activeid' in target ? target.activeid : null;
      const chosen = spec.tabs.find((tab) => `tab-${tab.id}` === id);
      if (chosen && chosen.id !== spec.active) spec.onChange(chosen.id);
    }}
  >
    ${spec.tabs.map((tab) => html`<vscode-panel-tab id="tab-${tab.id}">${tab.title}</vscode-panel-tab>`)}
    ${spec.tabs.map((tab) => html`<vscode-panel-view id="view-${tab.id}">${tab.view}</vscode-panel-view>`)}
  </vscode-panels>`;
}

function valueOf(event: Event): string {
  const { currentTarget } = event;
  return currentTarget !== null && 'value' in currentTarget ? String(currentTarget.value) : '';
}

function setValue(event: Event, value: string): void {
  const { currentTarget } = event;
  if (currentTarget !== null && 'value' in currentTarget) currentTarget.value = value;
}
