# Installation below DESTDIR/PREFIX, in the usual places.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
INSTALL ?= install

# Test rigs are built but not installed.
INSTALLED_PROGRAMS := $(filter-out qtdb-crash legacy-make,$(PROGRAMS))
MAN1 := $(filter-out docs/man/qtdb-crash.1,$(sort $(wildcard docs/man/*.1)))
MAN3 := $(sort $(wildcard docs/man/*.3))

# Each function that a page of section 3 names gets a page that leads there.
man_names = $$(sed -n '/^\.SH NAME/ { n; s/ \\-.*//; s/,//g; p; }' $1)

define PC
prefix=$(PREFIX)
libdir=$(LIBDIR)
includedir=$(INCLUDEDIR)

Name: qtdb
Description: database kernel with a page store, transactions and SQL
Version: $(VERSION)
Cflags: -I$${includedir}
Libs: -L$${libdir} -lqtdb
Libs.private: $(PG_WRAP) -lxxhash -lpg_query -lzstd -luring -lssl -lcrypto -lpthread -lm
endef

.PHONY: install
install: all ## install programs, libraries, qtdb.h, qtdb.pc and man pages (PREFIX, DESTDIR)
	$(file >build/qtdb.pc,$(PC))
	$(Q)$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	$(if $(INSTALLED_PROGRAMS),$(Q)$(INSTALL) -m 755 $(INSTALLED_PROGRAMS:%=build/bin/%) \
		$(DESTDIR)$(BINDIR))
	$(Q)$(INSTALL) -m 644 build/lib/libqtdb.a $(DESTDIR)$(LIBDIR)
	$(if $(SHARED),$(Q)$(INSTALL) -m 755 build/lib/libqtdb.so \
		$(DESTDIR)$(LIBDIR)/libqtdb.so.$(VERSION))
	$(if $(SHARED),$(Q)ln -sf libqtdb.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME))
	$(if $(SHARED),$(Q)ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libqtdb.so)
	$(if $(wildcard kernel/qtdb.h),$(Q)$(INSTALL) -m 644 kernel/qtdb.h $(DESTDIR)$(INCLUDEDIR))
	$(Q)$(INSTALL) -m 644 build/qtdb.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	$(if $(MAN1),$(Q)$(INSTALL) -d $(DESTDIR)$(MANDIR)/man1)
	$(if $(MAN1),$(Q)$(INSTALL) -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1)
	$(if $(MAN3),$(Q)$(INSTALL) -d $(DESTDIR)$(MANDIR)/man3)
	$(if $(MAN3),$(Q)$(INSTALL) -m 644 $(MAN3) $(DESTDIR)$(MANDIR)/man3)
	$(Q)$(foreach p,$(MAN3),for name in $(call man_names,$p); do \
		[ -f docs/man/$$name.3 ] || echo .so man3/$(notdir $p) \
			>$(DESTDIR)$(MANDIR)/man3/$$name.3; done;)

.PHONY: uninstall
uninstall: ## remove what install put there (same PREFIX and DESTDIR)
	$(Q)rm -f $(INSTALLED_PROGRAMS:%=$(DESTDIR)$(BINDIR)/%) $(DESTDIR)$(INCLUDEDIR)/qtdb.h \
		$(addprefix $(DESTDIR)$(LIBDIR)/,libqtdb.a libqtdb.so $(SONAME) \
			libqtdb.so.$(VERSION) pkgconfig/qtdb.pc) \
		$(patsubst docs/man/%,$(DESTDIR)$(MANDIR)/man1/%,$(MAN1)) \
		$(patsubst docs/man/%,$(DESTDIR)$(MANDIR)/man3/%,$(MAN3))
	$(Q)$(foreach p,$(MAN3),for name in $(call man_names,$p); do \
		rm -f $(DESTDIR)$(MANDIR)/man3/$$name.3; done;)
