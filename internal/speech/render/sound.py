"""Sound: from what a voice renders to what a pack holds, and its measures.

All sound in here is float32, mono, full scale 1.0.
"""

import io

import numpy as np
import soundfile
from scipy import signal

RATE = 16000  # of a pack; the line's 8 kHz are derived from it
LINE = 8000

LEVEL = -20.0  # dBFS, active, at LINE: leaves a digit's peaks about 13 dB
PEAK = 10 ** (-1.5 / 20)
EDGE = 0.045  # s kept before the first and after the last thing heard
FADE = 0.010  # s
BITS = 14  # kept of 16: the rest is below the noise of G.711, and FLAC need not carry it


def resample(x, have, want):
    """x at another rate, with a linear-phase low-pass."""
    if have == want:
        return x
    g = np.gcd(have, want)
    return signal.resample_poly(x, want // g, have // g).astype(np.float32)


def frames(x, rate, ms):
    """The root mean squares of x in whole frames of ms milliseconds."""
    n = rate * ms // 1000
    k = len(x) // n
    return np.sqrt(np.mean(x[: k * n].reshape(k, n) ** 2, axis=1) + 1e-12)


def active(x):
    """The active level in dBFS of sound at LINE: the mean power of the 20 ms
    frames that are at most 15.9 dB below it (the margin of ITU-T P.56)."""
    power = frames(x, LINE, 20) ** 2
    level = power.mean()
    for _ in range(20):
        loud = power[power >= level * 10 ** (-15.9 / 10)]
        if len(loud) == 0 or abs(loud.mean() - level) < 1e-9:
            break
        level = loud.mean()
    return 10 * np.log10(level + 1e-12)


def telephone(x):
    """x at RATE with rumble taken out and the upper band lifted by 3 dB, as a
    telephone's microphone does: /s/ and /f/ have little else on a narrow line."""
    sos = signal.butter(2, 90, "highpass", fs=RATE, output="sos")
    x = signal.sosfilt(sos, x)
    high = signal.sosfiltfilt(signal.butter(1, 1800, "highpass", fs=RATE, output="sos"), x)
    return (x + 0.41 * high).astype(np.float32)


def span(x):
    """First and last sample of x, at RATE, that can be heard. The judgement is
    made on pre-emphasised sound, so the weak /s/ of "six" is inside."""
    e = 20 * np.log10(frames(np.append(x[0], x[1:] - 0.95 * x[:-1]), RATE, 5))
    floor = max(np.percentile(e, 3) + 8, e.max() - 42)
    loud = np.flatnonzero(e > floor)
    # A lone frame is a click, not speech.
    loud = [i for i in loud if np.sum(np.abs(loud - i) <= 4) >= 4]
    n = RATE * 5 // 1000
    return (loud[0] * n, (loud[-1] + 1) * n) if len(loud) else (0, len(x))


def bursts(x, gap=0.22):
    """How many stretches of sound x, at RATE, has with at least gap seconds of
    near-silence between them: a word has one."""
    e = 20 * np.log10(frames(x, RATE, 10))
    loud = np.flatnonzero(e > e.max() - 38)
    return 1 + int(np.sum(np.diff(loud) > gap * 100))


def finish(x, rate):
    """A unit of a pack from what a voice rendered: cut loosely, levelled, faded."""
    x = telephone(resample(np.asarray(x, np.float32), rate, RATE))
    a, b = span(x)
    edge = int(EDGE * RATE)
    x = np.pad(x, edge)[a : b + 2 * edge].copy()
    n = int(FADE * RATE)
    # What is before and after the word goes down to silence without a step.
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
    x[:edge] *= ramp ** 0.5
    x[-edge:] *= ramp[::-1] ** 0.5
    x[:n] *= np.linspace(0, 1, n)
    x[-n:] *= np.linspace(1, 0, n)
    gain = 10 ** ((LEVEL - active(narrow(x))) / 20)
    x = limit(x * gain)
    return quantise(x)


def limit(x):
    """x with its peaks held below PEAK: a gain that moves within 5 ms."""
    over = np.maximum(np.abs(x) / PEAK, 1.0)
    n = RATE * 5 // 1000
    held = signal.order_filter(over, np.ones(2 * n + 1), 2 * n)
    w = np.hanning(2 * n + 1)
    return x / np.maximum(signal.convolve(held, w / w.sum(), "same"), 1.0)


def quantise(x):
    """x in steps of BITS bits."""
    step = 2.0 ** (BITS - 1)
    return (np.clip(np.round(x * step), -step, step - 1) / step).astype(np.float32)


def narrow(x):
    """x as the line's rate has it."""
    return resample(x, RATE, LINE)


def measure(x):
    """What the audit says of a unit's sound."""
    n = int(0.030 * RATE)
    steps = np.abs(np.diff(x))
    return {
        "seconds": round(len(x) / RATE, 3),
        "level": round(float(active(narrow(x))), 2),
        "peak": round(float(20 * np.log10(np.abs(x).max() + 1e-9)), 2),
        "edges": round(float(20 * np.log10(np.sqrt(np.mean(np.concatenate([x[:n], x[-n:]]) ** 2)) + 1e-9)), 1),
        "ends": round(float(max(abs(x[0]), abs(x[-1]))), 5),
        "step": round(float(steps.max()), 3),
    }


def flac(x):
    """The bytes of x as a FLAC file, 16 bits."""
    b = io.BytesIO()
    soundfile.write(b, (x * 32768).astype(np.int16), RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return b.getvalue()
