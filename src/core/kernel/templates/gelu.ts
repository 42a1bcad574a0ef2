/** GELU and its derivative in WGSL, of the kind that `params.gelu` says: 0 for erf, 1 for tanh. */
export const geluFunctions = `// gelu(x) = x share(x), where share is the normal distribution, or the logistic function that comes near it. The tail of the
// former is by Abramowitz and Stegun 7.1.26, off by 7.5e-8 before rounding: WGSL has no erf, and its tanh may be off by 1e-5.
fn share(x: f32) -> f32 {
  let z = abs(x);
  var tail = 0.0; // 1 - share(|x|)
  if (params.gelu == 0u) {
    let t = 1.0 / (1.0 + 0.2316419 * z);
    let sum = t * (0.127414796 + t * (-0.142248368 + t * (0.7107068705 + t * (-0.7265760135 + t * 0.5307027145))));
    tail = sum * exp(-0.5 * z * z);
  } else {
    let e = exp(-1.5957691216 * (z + 0.044715 * z * z * z));
    tail = e / (1.0 + e);
  }
  return select(tail, 1.0 - tail, x > 0.0);
}

fn gelu(x: f32) -> f32 {
  return x * share(x);
}

// gelu'(x) = share(x) + x share'(x)
fn gelu_slope(x: f32) -> f32 {
  let s = share(x);
  if (params.gelu == 0u) {
    return s + x * 0.3989422804 * exp(-0.5 * x * x);
  }
  return s + x * s * (1.0 - s) * 1.5957691216 * (1.0 + 0.134145 * x * x);
}
`;
