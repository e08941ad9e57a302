"""Chat templates that try to escape from the sandbox, to run without end or to fill the memory."""

from __future__ import annotations

ATTACKS = {
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ raise_exception.__globals__ }}{{ strftime_now.__globals__['__builtins__'].eval('1') }}",
    "format attribute": "{{ '{0.__class__.__mro__}'.format(1) }}",
    "format map": "{{ '{a.__class__.__mro__}'.format_map({'a': 1}) }}",
    "dict class": "{{ dict.__class__.__init__.__globals__ }}",
    "change messages": "{{ messages.append(1) }}",
    "clear message": "{{ messages[0].clear() }}",
    "namespace names": "{{ namespace(__class__=1) }}",
    "namespace item": "{% set ns = namespace() %}{% set ns.__dict__ = 1 %}",
    "cycler": "{{ cycler.__init__.__globals__ }}",
    "self": "{{ self.__init__.__globals__ }}",
    "import": "{% import 'os' as os %}",
    "include": "{% include '/etc/passwd' %}",
    "lipsum": "{{ lipsum(n=100000000) }}",
    "joiner": "{{ joiner.__init__.__globals__ }}",
    "namespace globals": "{{ namespace.__init__.__globals__ }}",
    "method owner": "{{ [].append.__self__.__class__ }}",
    "escaped name": r"{{ (''|attr('\x5f\x5fclass\x5f\x5f')).mro() }}",
    "subclasses": "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "loop class": "{% for m in messages %}{{ loop.__class__.__mro__ }}{% endfor %}",
    "macro": "{% macro m() %}{% endmacro %}{{ m.__init__.__globals__ }}",
    "extends": "{% extends 'x' %}",
    "from": "{% from 'os' import system %}",
    "fromkeys": "{{ dict.fromkeys.__func__.__globals__ }}",
    "generator frame": "{{ (messages|map('string')).gi_frame.f_globals }}",
    "json of a function": "{{ raise_exception | tojson }}",
    "update": "{{ messages[0].update({'a': 1}) }}",
    "setdefault": "{{ messages[0].setdefault('a', 1) }}",
    "pop": "{{ messages.pop() }}",
    "sort in place": "{{ messages.sort() }}",
    "item": "{% set messages[0]['content'] = 'x' %}",
    "debug": "{% debug %}",
    "getattr": "{{ getattr(messages, 'append') }}",
    "open": "{{ open('/etc/passwd').read() }}",
    "import function": "{{ __import__('os') }}",
}

# What these ask for is undefined, which shows as nothing.
UNDEFINED = {
    "class of a number": "{{ (1).__class__ }}",
    "context": "{{ self._TemplateReference__context }}{{ self.environment }}{{ environment }}{{ context }}",
    "format globals": "{{ 'x'.format.__globals__ }}",
    "code": "{{ raise_exception.__code__ }}{{ strftime_now.__closure__ }}",
    "frame": "{% set g = messages|map('string') %}{{ g.gi_frame }}",
    "caller": "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "format of a class": "{{ '{x.__class__}'.format_map({'x': raise_exception}) }}",
    "percent": "{{ '%(a)s' % {'a': raise_exception.__globals__} }}",
    "namespace attributes": "{% set ns = namespace() %}{{ ns._Namespace__attrs }}",
    "builtins": "{{ __builtins__ }}",
    "mapped class": "{{ messages|map(attribute='__class__')|join }}",
    "mapped attr": "{{ messages|map('attr', '__class__')|join }}",
    "selected class": "{{ messages|selectattr('__class__')|join }}",
}

DOUBLING = (
    "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = EXPRESSION %}{% endfor %}{{ ns.s }}"
)
BOMBS = {
    "parentheses": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "blocks": "{% if true %}" * 3_000 + "{% endif %}" * 3_000,
    "long sum": "{{ 1" + " + 1" * 20_000 + " }}",
    "negation": "{{ " + "not " * 20_000 + "1 }}",
    "filters": "{{ 'a'" + "|upper" * 20_000 + " }}",
    "subscripts": "{{ a" + "[0]" * 20_000 + " }}",
    "source": "{% set a = 1 %}" * 50_000,
    "range": "{% for i in range(999999999) %}{% endfor %}",
    "loops": "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3,
    "calls": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "multiply": "{{ 'a' * 1000000000000 }}",
    "multiply left": "{{ 1000000000000 * 'a' }}",
    "multiply list": "{{ ([0] * 100000000000) | length }}",
    "power": "{{ 9 ** (9 ** 9) }}",
    "square": DOUBLING.replace("'x'", "3").replace("EXPRESSION", "ns.s * ns.s"),
    "plus": DOUBLING.replace("EXPRESSION", "ns.s + ns.s"),
    "tilde": DOUBLING.replace("EXPRESSION", "ns.s ~ ns.s"),
    "list plus": DOUBLING.replace("'x'", "['x']").replace("EXPRESSION", "ns.s + ns.s"),
    "nested lists": DOUBLING.replace("EXPRESSION", "[ns.s, ns.s]"),
    "nested json": DOUBLING.replace("EXPRESSION", "[ns.s, ns.s]").replace(
        "{{ ns.s }}", "{{ ns.s | tojson }}"
    ),
    "nested views": DOUBLING.replace("EXPRESSION", "{'a': ns.s, 'b': ns.s}").replace(
        "{{ ns.s }}", "{{ ns.s.values() ~ '' }}"
    ),
    "nested upper": DOUBLING.replace("EXPRESSION", "[ns.s, ns.s]").replace(
        "{{ ns.s }}", "{{ ns.s | upper }}"
    ),
    "nested percent": DOUBLING.replace("EXPRESSION", "[ns.s, ns.s]").replace(
        "{{ ns.s }}", "{{ '%s' % (ns.s,) }}"
    ),
    "replace": DOUBLING.replace("EXPRESSION", "ns.s.replace('x', 'xx')"),
    "replace filter": DOUBLING.replace("EXPRESSION", "ns.s | replace('x', 'xx')"),
    "join": DOUBLING.replace("EXPRESSION", "ns.s.join([ns.s, ns.s])"),
    "join filter": DOUBLING.replace("EXPRESSION", "[ns.s, ns.s] | join(ns.s)"),
    "join generator": DOUBLING.replace("EXPRESSION", "[ns.s, ns.s] | map('string') | join"),
    "format": DOUBLING.replace("EXPRESSION", "'{0}{0}'.format(ns.s)"),
    "percent": DOUBLING.replace("EXPRESSION", "'%s%s' % (ns.s, ns.s)"),
    "format filter": DOUBLING.replace("EXPRESSION", "'%s%s' | format(ns.s, ns.s)"),
    "set block": DOUBLING.replace(
        "{% set ns.s = EXPRESSION %}", "{% set t %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = t %}"
    ),
    "percent width": "{{ '%1000000000d' % 1 }}",
    "percent star": "{{ '%*d' % (1000000000, 1) }}",
    "percent filter": "{{ '%.1000000000f' | format(1.5) }}",
    "brace width": "{{ '{:1000000000}'.format(1) }}",
    "brace computed": "{{ '{:{}}'.format(1, 1000000000) }}",
    "center": "{{ 'x' | center(100000000000) }}",
    "center method": "{{ 'x'.center(100000000000) }}",
    "zfill": "{{ 'x'.zfill(100000000000) }}",
    "expandtabs": "{{ '\t'.expandtabs(100000000000) }}",
    "translate": "{{ 'aa'.translate({97: 'x' * 1000000}) }}",
    "indent": "{{ ('\n' * 100000) | indent(1000000, true, true) }}",
    "wordwrap": "{{ ('x ' * 1000000) | wordwrap(1, true, 'y' * 1000000) }}",
    "json indent": "{{ [1] | tojson(indent=1000000000) }}",
    "batch": "{{ [1] | batch(1000000000, 0) | list | length }}",
    "slice": "{{ [1] | slice(1000000000) | list | length }}",
    "sum": "{{ [['a']] | sum(start=[]) }}",
    "round": "{{ 1.5 | round(1000000000, 'ceil') }}",
    "mapped filter": "{{ ['x'] | map('center', 100000000000) | list }}",
    "output": "{% set s = 'x' * 1000000 %}{% for i in range(99999) %}{{ s }}{% endfor %}",
    "kept": "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}"
    "{% set ns.l = ns.l + [('x' * 1000000) ~ i] %}{% endfor %}",
    "strftime": "{{ strftime_now('%1000000000d') }}",
    "constant": "{{ 'x' | center(100000000000) | length }}",
}
