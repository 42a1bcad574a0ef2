import type { ReactiveController, ReactiveControllerHost } from 'lit';

/** Steps a second that a short schedule plays at, and seconds that a long one may take. */
const unhurried = 6;
const longestSeconds = 30;
/** With reduced motion pictures change once a second. */
const reducedRate = 1;

/** Plays a schedule: asks for the next steps as time goes by, at most once a frame. */
export class Playback implements ReactiveController {
  private frame: number | null = null;

  /** `advance` goes on by some steps and says whether there are more. */
  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly advance: (steps: number) => boolean,
  ) {
    host.addController(this);
  }

  get playing(): boolean {
    return this.frame !== null;
  }

  /** Starts playing a schedule of `steps` steps. */
  play(steps: number): void {
    if (this.playing) return;
    const rate = reducedMotion() ? reducedRate : Math.max(unhurried, steps / longestSeconds);
    let owed = 0;
    // The first frame starts the clock: the time of frames need not agree with that of events.
    let last: number | null = null;
    const onFrame = (now: number): void => {
      owed += ((now - (last ?? now)) / 1000) * rate;
      last = now;
      const whole = Math.floor(owed);
      owed -= whole;
      this.frame = requestAnimationFrame(onFrame);
      if (whole > 0 && !this.advance(whole)) this.pause();
    };
    this.frame = requestAnimationFrame(onFrame);
    this.host.requestUpdate();
  }

  pause(): void {
    if (this.frame === null) return;
    cancelAnimationFrame(this.frame);
    this.frame = null;
    this.host.requestUpdate();
  }

  hostDisconnected(): void {
    this.pause();
  }
}

function reducedMotion(): boolean {
  return (
    document.body.classList.contains('vscode-reduce-motion') ||
    window.matchMedia('(prefers-reduced-motion: reduce)').matches
  );
}
