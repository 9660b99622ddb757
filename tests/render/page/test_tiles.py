"""Cutting what is too large to be drawn at once."""

import pytest

from farm.render.page.tiles import MAX_TILE_PIXELS, MAX_TILE_PX, Region, cut


def test_what_can_be_drawn_at_once_is_one_tile() -> None:
    region = Region(3, 5, 512, 16_384)
    assert cut(region, 1) == [[region]]


def test_tiles_go_down_and_to_the_right() -> None:
    tiles = cut(Region(10, 0, 20_000, 40_000), 1)
    assert [(tile.y, tile.height) for tile, *_ in tiles[-2:]] == [(39_424, 512), (39_936, 64)]
    assert [(tile.x, tile.width) for tile in tiles[1]] == [(10, 16_384), (16_394, 3_616)]


@pytest.mark.parametrize("width", [1, 1_280, 5_000, 16_384, 100_000])
def test_no_tile_is_large(width: int) -> None:
    for row in cut(Region(0, 0, width, 100_000), 1):
        assert all(tile.width * tile.height <= MAX_TILE_PIXELS for tile in row)


@pytest.mark.parametrize("scale", [0.1, 0.333, 1, 1.1, 1.235, 1.5, 2.625, 3, 3.999, 4])
def test_tiles_meet_at_whole_device_pixels(scale: float) -> None:
    *whole, last = [row[0] for row in cut(Region(0, 0, 1, 1_000_000), scale)]
    assert all(tile.height * scale == pytest.approx(round(tile.height * scale)) for tile in whole)
    assert all(tile.height * scale <= MAX_TILE_PX + 1e-6 for tile in [*whole, last])
    ends = [tile.y + tile.height for tile in [*whole, last]]
    assert [tile.y for tile in [*whole, last]] == [0, *ends[:-1]]
    assert ends[-1] == 1_000_000
