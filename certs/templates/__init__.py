"""Layouts of certificates, as data: a declarative template becomes an unsigned OFD file."""

from certs.templates.model import Template as Template
from certs.templates.render import lay_out_certificate as lay_out_certificate
from certs.templates.render import render_certificate as render_certificate
from certs.templates.shelf import load_template as load_template
from certs.templates.shelf import template_names as template_names
