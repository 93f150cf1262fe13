"""Draw pages of OFD documents, ours and others', as SVG and PNG: for previews and thumbnails.

What cannot be drawn (a picture format that nobody decodes, a font that is not embedded and has no stand-in)
is left out and named in the notes of the result; a preview proves nothing and is never sealed.
"""

from certs.ofd.render.model import RenderedPage as RenderedPage
from certs.ofd.render.model import Watermark as Watermark
from certs.ofd.render.page import count_pages as count_pages
from certs.ofd.render.page import render_page as render_page
from certs.ofd.render.png import rasterise as rasterise
