"""Patches of images as rows, band by band, and their adjoint."""

from dataclasses import dataclass, replace

from torch.nn.functional import pad

from .._threads import slices

_MAX_ENTRIES = 2**22  # entries of the patches that exist at one time


def extent_of(kernel_size, dilation):
    """Numbers of pixels that a patch covers along each dimension."""
    pairs = zip(kernel_size, dilation, strict=True)
    return tuple((size - 1) * step + 1 for size, step in pairs)


@dataclass(frozen=True)
class Geometry:
    """Places of the patches (channels, height, width) of an image, as in `torch.nn.Conv2d`."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    center: bool = False

    @property
    def numbers(self):
        """Eight integers, as arguments of an operator."""
        return [*self.kernel_size, *self.stride, *self.padding, *self.dilation]

    @property
    def extent(self):
        """Height and width of a patch in the image."""
        return extent_of(self.kernel_size, self.dilation)

    def output_size(self, shape):
        """Numbers of patches along height and width, for an input (..., height, width)."""
        pairs = zip(shape[-2:], self.padding, strict=True)
        return self.output_size_of_padded([n + 2 * zeros for n, zeros in pairs])

    def pad(self, images):
        """Images with zeros around them."""
        height, width = self.padding
        if not height and not width:
            return images
        return pad(images, (width, width, height, height))

    def unpad(self, images):
        """Images without the zeros around them."""
        height, width = self.padding
        if not height and not width:
            return images
        inner = images[:, :, height : images.shape[2] - height, width : images.shape[3] - width]
        return inner.contiguous()

    def rows(self, padded):
        """Patches of padded images as rows (n_patches, channels * height * width)."""
        return self._centered(self._view(padded).flatten(3).flatten(0, 2))

    def _view(self, padded):
        """View of padded images as patches: (n, rows, columns, channels, height, width)."""
        image, channel, line, column = padded.stride()
        places = line * self.stride[0], column * self.stride[1]
        within = channel, line * self.dilation[0], column * self.dilation[1]
        sizes = self.output_size_of_padded(padded.shape), self.kernel_size
        shape = padded.shape[0], *sizes[0], padded.shape[1], *sizes[1]
        return padded.as_strided(shape, (image, *places, *within))

    def add(self, rows, images):
        """Add patches to padded images, in place: the adjoint of `rows`."""
        places = self._view(images)
        patches = self._centered(rows).view(places.shape)
        for i in range(self.kernel_size[0]):  # places of one entry of the patches do not overlap
            for j in range(self.kernel_size[1]):
                places[..., i, j] += patches[..., i, j]

    def _centered(self, rows):
        return rows - rows.mean(dim=1, keepdim=True) if self.center else rows

    def bands(self, shape):
        """Bands of padded images (n, channels, height, width) whose patches fit in memory."""
        height, width = self.output_size_of_padded(shape)
        n_features = shape[1] * self.kernel_size[0] * self.kernel_size[1]
        n_patches = max(1, _MAX_ENTRIES // n_features)
        n_columns = min(width, n_patches)
        n_lines = min(height, max(1, n_patches // width))
        for images in slices(shape[0], max(1, n_patches // (height * width))):
            for lines in slices(height, n_lines):
                for columns in slices(width, n_columns):
                    yield Band(images, lines, columns, *map(self._below, (0, 1), (lines, columns)))

    def _below(self, dim, patches):
        """Pixels along a dimension that some patches cover."""
        first = patches.start * self.stride[dim]
        return slice(first, (patches.stop - 1) * self.stride[dim] + self.extent[dim])

    def output_size_of_padded(self, shape):
        """Numbers of patches along height and width of padded images."""
        sizes = zip(shape[-2:], self.extent, self.stride, strict=True)
        return tuple((n - extent) // step + 1 for n, extent, step in sizes)

    def sample(self, images, n_rows):
        """Patches of the first images, on a coarser grid: about n_rows."""
        height, width = self.output_size(images.shape)
        n_images = 16
        factor = 1
        while n_images * (height // (factor + 1)) * (width // (factor + 1)) >= n_rows:
            factor += 1
        stride = self.stride[0] * factor, self.stride[1] * factor
        return replace(self, stride=stride).rows(self.pad(images[:n_images]))


@dataclass(frozen=True)
class Band:
    """Slices of images and of their patches, and of the pixels below these patches."""

    images: slice
    lines: slice
    columns: slice
    height: slice
    width: slice

    @property
    def pixels(self):
        """Index of padded images (n, channels, height, width)."""
        return self.images, slice(None), self.height, self.width

    @property
    def places(self):
        """Index of arrays with an entry for each patch (n, lines, columns)."""
        return self.images, self.lines, self.columns

    @property
    def maps(self):
        """Index of maps (n, channels, lines, columns)."""
        return self.images, slice(None), self.lines, self.columns

    def rows(self, maps):
        """Entries of maps as rows (n_patches, channels)."""
        band = maps[self.maps]
        return band.permute(0, 2, 3, 1).reshape(-1, band.shape[1])
