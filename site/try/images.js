// Image files to pixels, as helpers/datasets/decode.py has it: the same bicubic, antialiased resizing
// (Pillow's), the same crop to a square, the same kinds of files refused by name.
"use strict";

const SIDE = 128, LARGE = 16e6, TOO_LARGE = 268e6;  // pixels: Chromium's decoders end about there

// What the first bytes say: {format, deep, width, height}.
function look(bytes) {
  const text = (from, to) => String.fromCharCode(...bytes.slice(from, to));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (text(1, 4) === "PNG" && bytes.length > 33) {
    return { format: "PNG", deep: bytes[24] === 16, width: view.getUint32(16), height: view.getUint32(20) };
  }
  if (text(0, 4) === "II*\0" || text(0, 4) === "MM\0*") return { format: "TIFF" };
  if (text(128, 132) === "DICM") return { format: "DICOM" };
  if (text(0, 3) === "GIF" || text(0, 2) === "BM" || text(8, 12) === "WEBP") return { format: "other" };
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return { format: "none" };
  for (let at = 2; at + 9 < bytes.length;) {
    if (bytes[at] !== 0xff) break;
    const kind = bytes[at + 1];
    if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind)) {
      return { format: "JPEG", at, deep: bytes[at + 4] > 8, height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    }
    at += kind === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return { format: "JPEG" };
}

// Why the page refuses a file, as a sentence; "" where it does not.
function refusal(name, seen) {
  const keep = "The page reads 8 bits, 0 to 255, and which part of the range to keep is your decision: save it as an 8-bit PNG.";
  if (seen.format === "TIFF" || seen.format === "DICOM") return `${name} is a ${seen.format} file, which a browser does not show. ${keep}`;
  if (seen.format === "none") return `${name} is no PNG, JPEG, WebP, GIF or BMP. Replace it or leave it out.`;
  if (seen.deep) return `${name} has more than 8 bits per channel. ${keep}`;
  if (seen.width * seen.height > TOO_LARGE) return `${name} has ${seen.width} x ${seen.height} pixels, too many for a browser. Shrink it first.`;
  return "";
}

// Decode a file: {pixels (RGBA), width, height, shrunk}; throws an Error whose message is a sentence.
async function decoded(blob, name) {
  const damaged = `${name} cannot be read as an image: it is damaged or not whole. Replace it or leave it out.`;
  const bytes = new Uint8Array(await blob.slice(0, 1 << 19).arrayBuffer()), seen = look(bytes);
  const refused = refusal(name, seen);
  if (refused) throw new Error(refused);
  // A browser shows the upper half of a file that was cut off, and says nothing. Behind a JPEG's end
  // a telephone may have put a film.
  const tail = new Uint8Array(await blob.slice(seen.at ?? Math.max(0, blob.size - (1 << 16))).arrayBuffer());
  const end = { PNG: [0x49, 0x45, 0x4e, 0x44], JPEG: [0xff, 0xd9] }[seen.format];
  if (end && !tail.some((first, i) => first === end[0] && end.every((value, k) => tail[i + k] === value))) throw new Error(damaged);
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const shrunk = seen.width * seen.height > LARGE;
  if (shrunk) {
    options.resizeWidth = Math.round((seen.width * 1024) / Math.min(seen.width, seen.height));
    options.resizeQuality = "high";
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, options);
  } catch {
    throw new Error(damaged);
  }
  const { width, height } = bitmap, canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, width, height).data;
  canvas.width = canvas.height = 0;  // gives its memory back now
  for (let i = 3; i < pixels.length; i += 4) {
    if (pixels[i] < 255) throw new Error(`${name} has transparent pixels, and what lies behind them is not in the file. Save it on a background, without an alpha channel.`);
  }
  return { pixels, width, height, shrunk };
}

// Weights of one axis: for every output pixel [first input pixel, fixed-point weights].
function resizeWeights(length, from, to, size) {
  const cubic = (x) => {
    x = Math.abs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  };
  const scale = (to - from) / size, wide = Math.max(scale, 1), reach = 2 * wide;
  return Array.from({ length: size }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5)), last = Math.min(length, Math.trunc(centre + reach + 0.5));
    const weights = Array.from({ length: last - first }, (_, k) => cubic((k + first - centre + 0.5) / wide));
    const sum = weights.reduce((a, b) => a + b, 0);
    return [first, weights.map((w) => Math.trunc((w / sum) * 4194304 + (w < 0 ? -0.5 : 0.5)))];
  });
}

// The centre square of an image at size x size: RGB, Uint8. Exactly Pillow's ImageOps.fit(BICUBIC).
function square({ pixels, width, height }, size) {
  const side = Math.min(width, height), left = (width - side) / 2, top = (height - side) / 2;
  const out = new Uint8Array(size * size * 3);
  if (side === size && width === height) {
    for (let i = 0; i < size * size; i++) for (let c = 0; c < 3; c++) out[3 * i + c] = pixels[4 * i + c];
    return out;
  }
  const across = resizeWeights(width, left, left + side, size), down = resizeWeights(height, top, top + side, size);
  const y0 = down[0][0], y1 = down[size - 1][0] + down[size - 1][1].length;
  const middle = new Uint8ClampedArray((y1 - y0) * size * 3);
  const rounded = (sum) => Math.max(0, Math.min(255, Math.floor((sum + 2097152) / 4194304)));
  for (let y = y0; y < y1; y++) {
    for (let x = 0; x < size; x++) {
      const [first, weights] = across[x];
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * pixels[4 * (y * width + first + k) + c];
        middle[3 * ((y - y0) * size + x) + c] = rounded(sum);
      }
    }
  }
  for (let y = 0; y < size; y++) {
    const [first, weights] = down[y];
    for (let x = 0; x < size; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * middle[3 * ((first - y0 + k) * size + x) + c];
        out[3 * (y * size + x) + c] = rounded(sum);
      }
    }
  }
  return out;
}

// Means of blocks of pixels: what a head on raw pixels gets. Gray: 32 x 32; colour: 16 x 16 x 3.
function rawPixels(rgb, side, channels) {
  const block = SIDE / side, out = new Float32Array(side * side * channels);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const to = (Math.floor(y / block) * side + Math.floor(x / block)) * channels;
      for (let c = 0; c < channels; c++) out[to + c] += rgb[3 * (y * SIDE + x) + c] / (255 * block * block);
    }
  }
  return out;
}

// Gray up to JPEG's rounding (helpers.datasets.decode.GRAY_TOLERANCE).
function isGray(rgb) {
  for (let i = 0; i < rgb.length; i += 3) {
    if (Math.max(rgb[i], rgb[i + 1], rgb[i + 2]) - Math.min(rgb[i], rgb[i + 1], rgb[i + 2]) > 2) return false;
  }
  return true;
}
