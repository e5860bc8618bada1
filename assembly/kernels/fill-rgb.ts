/** dst u8 [pixels, 3] = red, green, blue in every pixel of [pixelBegin, pixelEnd): the border of a padded image. */
export function fillRgb(dst: usize, red: i32, green: i32, blue: i32, pixelBegin: usize, pixelEnd: usize): void {
  const end = dst + pixelEnd * 3;
  for (let pixel = dst + pixelBegin * 3; pixel < end; pixel += 3) {
    store<u8>(pixel, red as u8);
    store<u8>(pixel, green as u8, 1);
    store<u8>(pixel, blue as u8, 2);
  }
}
